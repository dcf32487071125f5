export * from './adamWStep/index.js';
export * from './gelu.js';
export * from './layerNormalize/index.js';
export * from './pattention/index.js';
export * from './rotaryPositions/index.js';
export * from './softmaxCrossEntropy/index.js';
export * from './tokenAttention/index.js';
