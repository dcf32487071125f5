export * from './data/index.js';
export * from './experiment.js';
export * from './model/backbone.js';
export * from './model/config.js';
export * from './model/patchEmbedding.js';
export * from './objectives/index.js';
export * from './visionKind.js';
export * from './visionParameters.js';
