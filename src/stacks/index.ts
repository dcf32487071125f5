export * from './config.js';
export * from './growth.js';
export * from './stack.js';
