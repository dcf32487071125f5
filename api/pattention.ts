import { computePattention } from './internal/pattention.js';
import type { TensorData } from './tensorData.js';

/** One group of parameter tokens and how it normalises its scores. */
export interface PattentionGroup {
  /** [numParamTokens, dIn] */
  readonly keyParamTokens: TensorData;
  /** [numParamTokens, dOut] */
  readonly valueParamTokens: TensorData;
  /** The stored scale τ; by default that of a new group: √numParamTokens under `l2NormGelu`, numParamTokens under `softmax`. */
  readonly tau?: number;
  /** Θ: `l2NormGelu` (default), `geluL2Norm`, `softmax`, or one that was registered. */
  readonly normActivation?: string;
  /** GELU: `erf` (default) or its `tanh` approximation. */
  readonly gelu?: 'erf' | 'tanh';
  /** ε added to the norm of the scores; 1e-5 by default. */
  readonly normEpsilon?: number;
}

/**
 * Token-parameter attention, the layer that TokenFormer has in place of every linear projection: Y = Θ(X Kᵀ) V, by default
 * Θ(A) = GELU(τ A / (‖A‖₂ + ε)) row by row (arXiv 2410.23168).
 *
 * @param input X, [tokens, dIn]
 * @returns Y, [tokens, dOut]
 * @throws Error when dIn or numParamTokens disagree
 * @throws ConfigError for a Θ or GELU that is none
 * @example
 * ```ts
 * const y = await pattention(
 *   { shape: [1, 2], values: Float32Array.of(1, 0) },
 *   {
 *     keyParamTokens: { shape: [3, 2], values: Float32Array.of(1, 0, 0, 1, 1, 1) },
 *     valueParamTokens: { shape: [3, 1], values: Float32Array.of(1, 2, 3) },
 *   },
 * ); // shape [1, 1]
 * ```
 */
export function pattention(input: TensorData, group: PattentionGroup): Promise<TensorData> {
  return computePattention(input, group);
}
