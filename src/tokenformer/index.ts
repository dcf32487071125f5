export * from './block.js';
export * from './config.js';
export * from './decodeStack.js';
export * from './parameterProblems.js';
export * from './parameterTree.js';
export * from './paramTokens.js';
export * from './pattentionLayer.js';
export * from './stack.js';
