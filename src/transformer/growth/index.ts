export * from './duplicate.js';
export * from './growTransformer.js';
export * from './placeTopLeft.js';
export * from './stackLayers.js';
export * from './transformerGrowth.js';
