import type { FusedKernelDeclarations } from '../../shared/index.js';
import { forNormActivations } from '../../shared/index.js';

/** The Θ with compiled code, as cpp/kernels.h numbers them. */
export const NORM_ACTIVATIONS = ['l2NormGelu', 'geluL2Norm', 'softmax', 'gelu'];

const compiledTheta = forNormActivations(NORM_ACTIVATIONS);

/** The fused operations with compiled kernels; kernels/ holds exactly these. */
export const NATIVE_FUSED_KERNELS = {
  AdamWUpdate: {},
  DecodeBlocks: compiledTheta,
  LayerNormalize: {},
  LayerNormalizeGrad: {},
  LinearCrossEntropy: {},
  LinearCrossEntropyGrad: {},
  Pattention: compiledTheta,
  PattentionGrad: compiledTheta,
  PattentionGroups: compiledTheta,
  PattentionGroupsGrad: compiledTheta,
  RotaryPositions: {},
  RoutedPattention: forNormActivations(['l2NormGelu']),
  SoftmaxCrossEntropy: {},
  SoftmaxCrossEntropyGrad: {},
  SparsePattention: compiledTheta,
  SquaredNorm: {},
  TokenFormerBlock: compiledTheta,
  TokenFormerBlockGrad: compiledTheta,
  TokenAttention: {},
  TokenAttentionGrad: {},
  TransformerBlock: {},
  TransformerBlockGrad: {},
} as const satisfies FusedKernelDeclarations;
