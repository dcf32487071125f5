export { contentHashes } from './contentHashes.js';
export { forEachConcurrently } from './forEachConcurrently.js';
export * from './imageExtensions.js';
export * from './imageFormat.js';
export * from './memoryBudget.js';
export * from './passedOver.js';
export * from './shardSamples.js';
export * from './walkImages.js';
export { withFileBytes } from './withFileBytes.js';
