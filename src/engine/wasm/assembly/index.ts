/** @file Everything the engine calls. All pointers are byte addresses in the memory of the TensorFlow.js wasm backend. */
export { adamWStep } from './adamWStep';
export { matMul, matMulScratch } from './batchMatMul';
export { layerNormalize, layerNormalizeGradient } from './layerNormalize';
export { pattention, pattentionGradient, pattentionGradientScratch, pattentionScratch } from './pattention';
export { rotaryPositions } from './rotaryPositions';
export { segmentSum } from './segmentSum';
export { softmaxCrossEntropy, softmaxCrossEntropyGradient } from './softmaxCrossEntropy';
export {
  tokenAttention,
  tokenAttentionGradient,
  tokenAttentionGradientScratch,
  tokenAttentionScratch,
} from './tokenAttention';
export { swapAxes, transposeMatrices } from './transpose';
export { erf, exp, tanh } from './unary';
