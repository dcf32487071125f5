export * from './controls.js';
export * from './evaluate.js';
export * from './evaluateConfig.js';
export * from './evaluation.js';
export * from './evaluationEvents.js';
