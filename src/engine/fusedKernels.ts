/**
 * The kernels of this project's own operations (src/kernels), which an engine may have beside those of TensorFlow.js.
 * Without its kernel an operation runs as plain TensorFlow.js operations, with the same result.
 */
export const FUSED_KERNELS = [
  'AdamWStep',
  'AdamWUpdate',
  'DecodeBlocks',
  'LayerNormalize',
  'LayerNormalizeGrad',
  'LinearCrossEntropy',
  'LinearCrossEntropyGrad',
  'Pattention',
  'PattentionGrad',
  'PattentionGroups',
  'PattentionGroupsGrad',
  'RotaryPositions',
  'SoftmaxCrossEntropy',
  'SoftmaxCrossEntropyGrad',
  'SquaredNorm',
  'TokenFormerBlock',
  'TokenFormerBlockGrad',
  'TokenAttention',
  'TokenAttentionGrad',
] as const;

export type FusedKernel = (typeof FUSED_KERNELS)[number];
