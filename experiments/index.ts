export * from './parseExperiment.js';
export * from './pipelineConfig.js';
export * from './program.js';
