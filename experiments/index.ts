export { configReference, referencePage } from './config/configReference.js';
export * from './config/parseExperiment.js';
export * from './config/pipelineConfig.js';
export * from './program.js';
