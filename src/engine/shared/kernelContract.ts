/**
 * @file The contract between the fused operations (src/kernels, src/tokenformer) and the engines: inputs, attributes and
 * outputs of every fused kernel. Shapes and equations are documented at the operations.
 */
import type { tf } from './tf.js';

/** Θ of a Pattention, except each group's τ. */
export interface NormActivationAttributes {
  /** A registered name; an engine declines the ones that it has no code for. */
  readonly normActivation: string;
  readonly gelu: 'erf' | 'tanh';
  /** Added to ‖·‖₂. */
  readonly epsilon: number;
}

export interface AdamWAttributes {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Counts from 1. */
  readonly step: number;
  readonly gradientScale: number;
}

export interface AttentionAttributes {
  readonly numHeads: number;
  readonly prefixLen: number;
  readonly contextLen: number;
}

/** What a block kernel needs of the model's configuration and of the groups in its layers. */
export interface BlockAttributes extends NormActivationAttributes {
  /** Number of groups in query, key, value, output, output groups of the context and ffn, block by block. */
  readonly groupsOfLayers: readonly number[];
  /** One per group. */
  readonly taus: readonly number[];
  readonly numHeads: number;
  readonly rotaryDims: number;
  readonly rotaryBase: number;
  readonly layerNormEpsilon: number;
}

/** A block in training: every token attends to the ones before it, or to a prefix. */
export interface FusedBlockAttributes extends BlockAttributes {
  /** One per group. */
  readonly trainable: readonly boolean[];
  /** Of the own tokens with a gate, else of the context and them. */
  readonly prefixLen: number;
  readonly contextLen: number;
  /** Whether the context is behind a gate per head. */
  readonly gated: boolean;
  /** Tokens of each sequence that count; the states of the others are undefined. */
  readonly lengths?: Int32Array;
}

/** A standard Transformer's block. */
export interface TransformerBlockAttributes {
  readonly gelu: 'erf' | 'tanh';
  readonly numHeads: number;
  readonly rotaryDims: number;
  readonly rotaryBase: number;
  readonly layerNormEpsilon: number;
  /** Of query, key, value, output, up and down, the last two alike. */
  readonly trainable: readonly boolean[];
  readonly prefixLen: number;
  /** Tokens of each sequence that count; the states of the others are undefined. */
  readonly lengths?: Int32Array;
}

type NoAttributes = Readonly<Record<string, never>>;

interface Kernel<Inputs, Attributes, Outputs> {
  readonly inputs: Inputs;
  readonly attributes: Attributes;
  readonly outputs: Outputs;
}

/** Every fused kernel by name. `T` is `tf.Tensor` where an operation calls it and `tf.TensorInfo` in the engine. */
interface FusedKernelMap<T> {
  AdamWStep: Kernel<
    { param: T; gradient: T; m: T; v: T },
    AdamWAttributes & { readonly weightDecay: number },
    [param: T, m: T, v: T]
  >;
  /** Updates params, m and v in place. */
  AdamWUpdate: Kernel<
    { params: readonly T[]; gradients: readonly T[]; m: readonly T[]; v: readonly T[] },
    AdamWAttributes & { readonly weightDecays: readonly number[] },
    []
  >;
  /** Updates the caches in place; gates, contexts and caches are one per group or block, but `contextGates` may be none. */
  DecodeBlocks: Kernel<
    {
      x: T;
      keys: readonly T[];
      values: readonly T[];
      gates: readonly (T | undefined)[];
      contextKeys: readonly T[];
      contextValues: readonly T[];
      contextGates: readonly T[];
      cacheKeys: readonly T[];
      cacheValues: readonly T[];
    },
    /**
     * `linear`: groups whose Θ is the identity; `strongest`: parameter tokens of each group that a row uses, 0 for all;
     * `past`: tokens in the caches.
     */
    BlockAttributes & {
      readonly linear: readonly boolean[];
      readonly strongest: readonly number[];
      readonly past: number;
    },
    [hidden: T]
  >;
  LayerNormalize: Kernel<{ x: T }, { readonly epsilon: number }, [output: T, inverseDeviation: T]>;
  LayerNormalizeGrad: Kernel<{ dOutput: T; output: T; inverseDeviation: T }, NoAttributes, [dX: T]>;
  /** After the losses come the wanted gradients of their sum: dStates, dEmbedding. */
  LinearCrossEntropy: Kernel<
    { states: T; embedding: T; labels: T; weights: T },
    { readonly wantStates: boolean; readonly wantEmbedding: boolean },
    [losses: T, ...gradients: T[]]
  >;
  /** The gradients that are given are wanted: dStates, dEmbedding. */
  LinearCrossEntropyGrad: Kernel<
    { dLosses: T; states: T; embedding: T; labels: T; weights: T; dStates?: T; dEmbedding?: T },
    NoAttributes,
    T[]
  >;
  Pattention: Kernel<
    { x: T; keyParamTokens: T; valueParamTokens: T },
    NormActivationAttributes & { readonly tau: number },
    [output: T, scores: T]
  >;
  /** The wanted ones of dX, dKeys, dValues. */
  PattentionGrad: Kernel<
    { dOutput: T; x: T; keyParamTokens: T; valueParamTokens: T; scores: T },
    NormActivationAttributes & { readonly tau: number; readonly wantInput: boolean; readonly wantParams: boolean },
    T[]
  >;
  /** The scores are one per group. */
  PattentionGroups: Kernel<
    { x: T; keys: readonly T[]; values: readonly T[] },
    NormActivationAttributes & { readonly taus: readonly number[] },
    [output: T, ...scores: T[]]
  >;
  /** dX if wanted, dKeys of the trainable groups, dValues of the trainable groups. */
  PattentionGroupsGrad: Kernel<
    { dOutput: T; x: T; keys: readonly T[]; values: readonly T[]; scores: readonly T[] },
    NormActivationAttributes & {
      readonly taus: readonly number[];
      readonly wantInput: boolean;
      readonly trainable: readonly boolean[];
    },
    T[]
  >;
  RotaryPositions: Kernel<
    { x: T },
    {
      readonly numHeads: number;
      readonly rotaryDims: number;
      readonly startPosition: number;
      readonly base: number;
      /** −1 rotates back: the gradient. */
      readonly direction: 1 | -1;
    },
    [output: T]
  >;
  /** Forward only; keys and values lie cluster by cluster. `guidance` is [tokens, clusters + dIn]: x · centroids, then x (KᵀK). */
  RoutedPattention: Kernel<
    { x: T; keyParamTokens: T; valueParamTokens: T; guidance: T },
    /** `best`: clusters that each token uses; `starts`: where each begins, and where the last ends. */
    NormActivationAttributes & { readonly tau: number; readonly best: number; readonly starts: Int32Array },
    [output: T]
  >;
  SoftmaxCrossEntropy: Kernel<{ logits: T; labels: T; weights: T }, NoAttributes, [losses: T, logSumExp: T]>;
  SoftmaxCrossEntropyGrad: Kernel<
    { dLosses: T; logits: T; labels: T; weights: T; logSumExp: T },
    NoAttributes,
    [dLogits: T]
  >;
  /** Forward only. */
  SparsePattention: Kernel<
    { x: T; keyParamTokens: T; valueParamTokens: T },
    /** `strongest`: parameter tokens that each token uses. */
    NormActivationAttributes & { readonly tau: number; readonly strongest: number },
    [output: T]
  >;
  SquaredNorm: Kernel<{ tensors: readonly T[] }, NoAttributes, [sum: T]>;
  /** `saved` is whatever the engine's TokenFormerBlockGrad wants of it, and only there when `recording`. */
  TokenFormerBlock: Kernel<
    { x: T; keys: readonly T[]; values: readonly T[]; contextKeys?: T; contextValues?: T; contextGate?: T },
    FusedBlockAttributes & { readonly recording: boolean },
    [hidden: T] | [hidden: T, saved: T]
  >;
  /** dX, dKeys of the trainable groups, dValues of the trainable groups, the context's dKeys, dValues and dGate. */
  TokenFormerBlockGrad: Kernel<
    { dHidden: T; keys: readonly T[]; values: readonly T[]; saved: T },
    FusedBlockAttributes,
    T[]
  >;
  /** `saved` is whatever the engine's TokenAttentionGrad wants of it. */
  TokenAttention: Kernel<{ q: T; k: T; v: T; keyMask?: T }, AttentionAttributes, [output: T, saved: T]>;
  TokenAttentionGrad: Kernel<
    { dOutput: T; q: T; k: T; v: T; output: T; saved: T; keyMask?: T },
    AttentionAttributes,
    [dQ: T, dK: T, dV: T]
  >;
  /** `saved` as TokenFormerBlock's; the weights are query, key, value, output, up and down. */
  TransformerBlock: Kernel<
    { x: T; weights: readonly T[] },
    TransformerBlockAttributes & { readonly recording: boolean },
    [hidden: T] | [hidden: T, saved: T]
  >;
  /** dX, then the gradients of the trainable weights. */
  TransformerBlockGrad: Kernel<
    { dHidden: T; weights: readonly T[]; saved: T },
    TransformerBlockAttributes,
    [dX: T, ...dWeights: T[]]
  >;
}

export type FusedKernel = keyof FusedKernelMap<unknown>;

export type KernelInputs<Name extends FusedKernel, T = tf.TensorInfo> = Readonly<FusedKernelMap<T>[Name]['inputs']>;
export type KernelAttributes<Name extends FusedKernel> = FusedKernelMap<unknown>[Name]['attributes'];
export type KernelOutputs<Name extends FusedKernel, T = tf.TensorInfo> = FusedKernelMap<T>[Name]['outputs'];

/** What every fused kernel computes, in a few words. */
export const FUSED_KERNELS: Readonly<Record<FusedKernel, string>> = {
  AdamWStep: 'AdamW on one parameter',
  AdamWUpdate: 'AdamW on all parameters, in place',
  DecodeBlocks: 'one new token through all blocks',
  LayerNormalize: 'layer normalization',
  LayerNormalizeGrad: 'its gradient',
  LinearCrossEntropy: 'cross-entropy of states times an embedding, logits never stored',
  LinearCrossEntropyGrad: 'its gradient',
  Pattention: 'Θ(X Kᵀ) V',
  PattentionGrad: 'its gradient',
  PattentionGroups: 'Σ Θ(X Kᵀ) V over the groups of a layer',
  PattentionGroupsGrad: 'its gradient',
  RotaryPositions: 'rotary position embedding, forward and back',
  RoutedPattention: 'Θ(X Kᵀ) V over the best clusters of parameter tokens of each row',
  SoftmaxCrossEntropy: 'cross-entropy of logits',
  SoftmaxCrossEntropyGrad: 'its gradient',
  SparsePattention: 'Θ(X Kᵀ) V with the largest weights of each row alone',
  SquaredNorm: 'squared global norm',
  TokenFormerBlock: 'a whole block',
  TokenFormerBlockGrad: 'its gradient',
  TokenAttention: 'softmax attention between tokens',
  TokenAttentionGrad: 'its gradient',
  TransformerBlock: 'a whole block of a standard Transformer',
  TransformerBlockGrad: 'its gradient',
};

/** The names of all fused kernels. */
export const FUSED_KERNEL_NAMES = Object.keys(FUSED_KERNELS) as FusedKernel[];

/** Kernels of an engine; `Backend` is what TensorFlow.js hands to them, for an engine that reads it. */
export type FusedKernelFunctions<Names extends FusedKernel, Backend = never> = {
  readonly [Name in Names]: (
    inputs: KernelInputs<Name>,
    attributes: KernelAttributes<Name>,
    backend: Backend,
  ) => KernelOutputs<Name>;
};

/** Whether a kernel takes a call. Otherwise the reference runs: silently, or with one line that names what is lacking. */
export type KernelSupport = true | false | { readonly lacks: string };

/** The fused kernels of an engine, as facts of its source: they do not depend on the machine. */
export type FusedKernelDeclarations = {
  readonly [Name in FusedKernel]?: {
    /** Absent: every call is taken. */
    supports?(attributes: KernelAttributes<Name>): KernelSupport;
  };
};
