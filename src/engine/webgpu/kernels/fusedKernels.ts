import type { FusedKernelDeclarations } from '../../shared/index.js';
import { forNormActivations } from '../../shared/index.js';

/** The Θ with shaders. */
export const NORM_ACTIVATIONS = ['l2NormGelu', 'geluL2Norm', 'softmax'] as const;

const shaderTheta = forNormActivations(NORM_ACTIVATIONS);

/** The fused operations with shaders; kernels/ holds exactly these. */
export const WEBGPU_FUSED_KERNELS = {
  AdamWUpdate: {},
  LayerNormalize: {},
  LayerNormalizeGrad: {},
  Pattention: shaderTheta,
  PattentionGrad: shaderTheta,
  RotaryPositions: {},
  SoftmaxCrossEntropy: {},
  SoftmaxCrossEntropyGrad: {},
  SquaredNorm: {},
  TokenAttention: {},
  TokenAttentionGrad: {},
} as const satisfies FusedKernelDeclarations;
