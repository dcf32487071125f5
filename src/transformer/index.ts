export * from './config.js';
export * from './growth/index.js';
export * from './matchedTransformer.js';
export * from './runTransformer.js';
export * from './transformerLayers.js';
