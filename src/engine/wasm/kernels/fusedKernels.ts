import type { FusedKernelDeclarations } from '../../shared/index.js';
import { forNormActivations } from '../../shared/index.js';

/** The Θ with SIMD code, as assembly/parameterWeights.ts numbers them. */
export const NORM_ACTIVATIONS = ['l2NormGelu', 'geluL2Norm', 'softmax'];

const compiledTheta = forNormActivations(NORM_ACTIVATIONS);

/** The fused operations with SIMD kernels; kernels/ holds exactly these. */
export const WASM_FUSED_KERNELS = {
  AdamWStep: {},
  LayerNormalize: {},
  LayerNormalizeGrad: {},
  Pattention: compiledTheta,
  PattentionGrad: compiledTheta,
  RotaryPositions: {},
  SoftmaxCrossEntropy: {},
  SoftmaxCrossEntropyGrad: {},
  TokenAttention: {},
  TokenAttentionGrad: {},
} as const satisfies FusedKernelDeclarations;
