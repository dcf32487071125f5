export * from './inspection.js';
export * from './inspectModel.js';
