export { configReference, referencePage, referenceText } from './configReference.js';
export * from './parseExperiment.js';
export * from './pipelineConfig.js';
export * from './program.js';
