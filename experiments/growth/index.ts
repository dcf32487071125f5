export * from './functionChange.js';
export * from './grownCheckpoint.js';
export * from './growthOptions.js';
