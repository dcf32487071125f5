import type {
  FusedKernelDeclarations,
  KernelAttributes,
  KernelSupport,
  NormActivationAttributes,
} from '../../shared/index.js';
import { forNormActivations } from '../../shared/index.js';
import { MAX_ROTARY_DIMS } from './attention.js';

/** Groups that read the same input in a decoding step, at most, as source/decode.cu has places for them. */
export const MAX_STAGE_GROUPS = 16;

/** The Θ with code on the card, as source/theta.cu numbers them. */
export const NORM_ACTIVATIONS = ['l2NormGelu', 'geluL2Norm', 'softmax', 'gelu'];

const compiledTheta = forNormActivations(NORM_ACTIVATIONS);

/** Whether source/decode.cu has places for the groups of every stage, and no group takes its strongest tokens alone. */
function isDecoded({ groupsOfLayers, strongest }: KernelAttributes<'DecodeBlocks'>): boolean {
  const inStage = (first: number, count: number): number =>
    groupsOfLayers.slice(first, first + count).reduce((sum, groups) => sum + groups, 0);
  const blocks = Array.from({ length: groupsOfLayers.length / 6 }, (_, b) => 6 * b);
  const largest = blocks.flatMap((b) => [inStage(b, 3), inStage(b + 3, 2), inStage(b + 5, 1)]);
  return strongest.every((count) => count === 0) && largest.every((count) => count <= MAX_STAGE_GROUPS);
}

/** Whether source/rotary.cu has places for the dimensions that rotate. */
function rotates({ rotaryDims }: { readonly rotaryDims: number }): KernelSupport {
  return rotaryDims <= MAX_ROTARY_DIMS || { lacks: `rotary positions on ${rotaryDims} dimensions of a head` };
}

/** A block with a Θ of the list, and no gate on its context. */
const block = {
  supports: (attributes: NormActivationAttributes & { readonly rotaryDims: number; readonly gated: boolean }) => {
    if (attributes.gated) return { lacks: 'blocks with a gate on the image' };
    const support = compiledTheta.supports(attributes);
    return support === true ? rotates(attributes) : support;
  },
};

/** The fused operations with CUDA kernels; kernels/ holds exactly these. */
export const CUDA_FUSED_KERNELS = {
  AdamWUpdate: {},
  DecodeBlocks: { supports: (attributes) => isDecoded(attributes) && compiledTheta.supports(attributes) },
  LayerNormalize: {},
  LayerNormalizeGrad: {},
  LinearCrossEntropy: {},
  LinearCrossEntropyGrad: {},
  Pattention: compiledTheta,
  PattentionGrad: compiledTheta,
  PattentionGroups: compiledTheta,
  PattentionGroupsGrad: compiledTheta,
  RotaryPositions: { supports: rotates },
  SoftmaxCrossEntropy: {},
  SoftmaxCrossEntropyGrad: {},
  SquaredNorm: {},
  TokenFormerBlock: block,
  TokenFormerBlockGrad: block,
  TokenAttention: {},
  TokenAttentionGrad: {},
  TransformerBlock: { supports: rotates },
  TransformerBlockGrad: { supports: rotates },
} as const satisfies FusedKernelDeclarations;
