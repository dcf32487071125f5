export { contentHashes } from './contentHashes.js';
export { forEachConcurrently } from './forEachConcurrently.js';
export * from './imageExtensions.js';
export * from './shardSamples.js';
