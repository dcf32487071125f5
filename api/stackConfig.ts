/**
 * The shape and the mathematics of a stack of TokenFormer blocks; the keys are those of `model` in an experiment file.
 *
 * Every projection is a Pattention over parameter tokens, Y = Θ(X Kᵀ) V (TokenFormer, arXiv 2410.23168).
 *
 * @example
 * ```ts
 * const stack: StackConfig = {
 *   dModel: 96, numLayers: 4, numHeads: 4, qkvParamTokens: 96, outputParamTokens: 96, ffnParamTokens: 384,
 * };
 * ```
 */
export interface StackConfig {
  /** Width of the residual stream. */
  readonly dModel: number;
  /** Number of blocks. */
  readonly numLayers: number;
  /** Heads of token-token attention; divides `dModel`. */
  readonly numHeads: number;
  /** Parameter tokens of each of query, key and value. */
  readonly qkvParamTokens: number | { readonly query: number; readonly key: number; readonly value: number };
  /** Parameter tokens of the attention output. */
  readonly outputParamTokens: number;
  /** Parameter tokens of the feed-forward Pattention. */
  readonly ffnParamTokens: number;
  /** Groups beside the model's own one, each with a norm of its own; by name, with their parameter tokens in each layer. */
  readonly appendedGroups?: readonly AppendedGroup[];
  /** Θ: `l2NormGelu` (default), `geluL2Norm`, `softmax`, or one that was registered. */
  readonly normActivation?: string;
  /** GELU: `erf` (default) or its `tanh` approximation. */
  readonly gelu?: 'erf' | 'tanh';
  /** ε added to the norm of the scores; 1e-5 by default, 0 in the official GPU code. */
  readonly normEpsilon?: number;
  /** Share of each head, in [0, 1], that carries rotary positions; 0 by default. */
  readonly rotaryShare?: number;
  /** Base of the rotary frequencies; 10,000 by default. */
  readonly rotaryBase?: number;
}

/** A group appended to a model: its parameter tokens in each layer of a block, 0 unless given. */
export interface AppendedGroup {
  readonly name: string;
  readonly query?: number;
  readonly key?: number;
  readonly value?: number;
  readonly output?: number;
  readonly ffn?: number;
  /** `linear`: Θ is the identity, the group a low-rank linear map; `pattention` by default. */
  readonly kind?: 'pattention' | 'linear';
}
