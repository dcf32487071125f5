export * from './config.js';
export * from './runTransformer.js';
export { MLP_ACTIVATION } from './transformerBlock.js';
export * from './transformerLayers.js';
