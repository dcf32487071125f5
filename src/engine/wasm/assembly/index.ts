/** @file Everything the engine calls. All pointers are byte addresses in the memory of TensorFlow.js's wasm backend. */
export { adamWStep } from './adamWStep';
export { matMul, matMulScratch } from './batchMatMul';
export { copyRows, gatherRows } from './copyRows';
export { layerNormalize, layerNormalizeGradient } from './layerNormalize';
export { pattention, pattentionGradient, pattentionGradientScratch, pattentionScratch } from './pattention';
export { rotaryPositions } from './rotaryPositions';
export { segmentSum, sumRows } from './segmentSum';
export { softmaxCrossEntropy, softmaxCrossEntropyGradient } from './softmaxCrossEntropy';
export { tokenAttention, tokenAttentionScratch } from './tokenAttention';
export { tokenAttentionGradient, tokenAttentionGradientScratch } from './tokenAttentionGradient';
export { swapAxes, transposeMatrices } from './transpose';
export { erf, exp, tanh } from './unary';
