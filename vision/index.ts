export * from './backbone.js';
export * from './config.js';
export * from './data/index.js';
export * from './experiment.js';
export * from './objectives/index.js';
export * from './patchEmbedding.js';
