import { tf } from '#src/engine';
import {
  findNormActivation,
  type PattentionSettings,
  pattention,
  pattentionGroups,
  pattentionReference,
} from '#src/kernels';
import type { TokenFormerConfig } from './config.js';
import type { ParamTokenGroup } from './paramTokens.js';

/** A group as one stream uses it. */
export interface ActiveGroup {
  readonly group: ParamTokenGroup;
  /** A scalar g; the group's output is multiplied by tanh g. Absent: 1. */
  readonly gate?: tf.Scalar;
  /**
   * `own` (the default): the group normalises its own scores. `union`: all groups of the layer with this value share one
   * norm, as one group of the concatenated tokens with τ by the `unionTau` of Θ; gates do not apply. `linear`: Θ is the
   * identity, the group a linear map of rank n.
   */
  readonly norm?: 'own' | 'union' | 'linear';
}

/** The groups that are active for the tokens of one stream in one layer; their outputs add. */
export type PattentionLayer = readonly ActiveGroup[];

export type PattentionMath = Pick<TokenFormerConfig, 'normActivation' | 'gelu' | 'normEpsilon'>;

/** How the scores of one group become weights. */
export function groupSettings(
  { group, norm }: ActiveGroup,
  { normActivation, gelu, normEpsilon }: PattentionMath,
): PattentionSettings {
  return {
    normActivation: norm === 'linear' ? 'linear' : normActivation,
    gelu,
    epsilon: normEpsilon,
    tau: group.tau,
  };
}

/**
 * Pattention over parameter-token groups: Y_t = Σ_g tanh(gate_g) Θ_g(x_t K_gᵀ) V_g.
 *
 * @param x [tokens, dIn]
 * @param layer at least one group
 * @param inputNeedsGradient false when x is a constant (cached image states): saves a product in the backward pass
 * @returns [tokens, dOut]
 */
export function pattentionLayer(
  x: tf.Tensor2D,
  layer: PattentionLayer,
  math: PattentionMath,
  inputNeedsGradient = true,
): tf.Tensor2D {
  const settings = { normActivation: math.normActivation, gelu: math.gelu, epsilon: math.normEpsilon };
  const isPlain = ({ gate, norm }: ActiveGroup): boolean => gate === undefined && (norm ?? 'own') === 'own';
  const plain = layer.filter(isPlain).map(({ group }) => group);
  const single = layer.filter((active) => !isPlain(active) && active.norm !== 'union');
  const united = layer.filter(({ norm }) => norm === 'union').map(({ group }) => group);
  const outputs = single.map((active) => {
    const { group, gate, norm } = active;
    // Two products, which TensorFlow.js differentiates as well as a fused operation would.
    const y =
      norm === 'linear'
        ? pattentionReference(x, group.keyParamTokens, group.valueParamTokens, groupSettings(active, math)).output
        : pattentionGroups(x, [group], settings, inputNeedsGradient);
    return gate === undefined ? y : tf.mul(y, tf.tanh(gate));
  });
  if (plain.length > 0) outputs.unshift(pattentionGroups(x, plain, settings, inputNeedsGradient));
  if (united.length > 0) {
    const keys = tf.concat(united.map((group) => group.keyParamTokens)); // [Σ n, dIn]
    const values = tf.concat(united.map((group) => group.valueParamTokens)); // [Σ n, dOut]
    const tau = unionTau(math.normActivation, united);
    const want = { input: inputNeedsGradient, params: united.some(({ trainable }) => trainable) };
    outputs.push(pattention(x, keys, values, { ...settings, tau }, want));
  }
  return outputs.reduce((sum, y) => tf.add(sum, y)) as tf.Tensor2D;
}

/** τ of groups under one norm. @throws Error for a Θ that has none */
export function unionTau(normActivation: string, groups: readonly ParamTokenGroup[]): number {
  const entry = findNormActivation(normActivation);
  if (entry.unionTau === undefined)
    throw new Error(
      `pattentionLayer: expected a normActivation with a τ for groups under one norm, got ${normActivation}`,
    );
  return entry.unionTau(groups.map(({ tau }) => tau));
}
