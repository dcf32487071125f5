import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import {
  findNormActivation,
  type PattentionSettings,
  parameterWeights,
  pattention,
  pattentionGroups,
  pattentionReference,
  routedPattention,
  sparsePattention,
  strongestWeights,
  usedClusters,
} from '#src/kernels';
import type { TokenFormerConfig } from './config.js';
import type { ParamTokenGroup } from './paramTokens.js';
import { strongestOf } from './sparsity.js';

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

/** Parameter tokens of a group that an input token uses; all of a linear map. */
export function strongestIn({ group: { keyParamTokens, sparsity }, norm }: ActiveGroup): number {
  return strongestOf(norm === 'linear' ? undefined : sparsity, keyParamTokens.shape[0]);
}

/** The clusters of a group of which input tokens use the best; none of a linear map. */
export function clustersIn({ group: { clusters }, norm }: ActiveGroup): ParamTokenGroup['clusters'] {
  return norm === 'linear' ? undefined : clusters;
}

/** Whether input tokens use fewer than all parameter tokens of a group. */
export function isSparse(active: ActiveGroup): boolean {
  return strongestIn(active) < active.group.keyParamTokens.shape[0] || clustersIn(active) !== undefined;
}

/** Whether a group takes part as it is: all of it, under a norm of its own, without a gate. */
export function isPlain(active: ActiveGroup): boolean {
  return active.gate === undefined && (active.norm ?? 'own') === 'own' && !isSparse(active);
}

/**
 * Θ(x Kᵀ) of a group with a norm of its own, where it is sparse without the weights that are not used.
 *
 * @param x [tokens, dIn]
 * @returns [tokens, numParamTokens]
 */
export function tokenWeights(x: tf.Tensor2D, active: ActiveGroup, math: PattentionMath): tf.Tensor2D {
  const scores = tf.matMul(x, active.group.keyParamTokens, false, true); // [tokens, numParamTokens]
  const weights = parameterWeights(scores, groupSettings(active, math));
  const routed = clustersIn(active);
  if (routed !== undefined) {
    const { guide, starts, assignment } = routed.read();
    const means = tf.slice(guide, [0, 0], [starts.length - 1, -1]); // [clusters, dIn]
    const used = usedClusters(tf.matMul(x, means, false, true), Math.min(routed.best, starts.length - 1)); // [tokens, clusters]
    return tf.mul(weights, tf.gather(used, assignment, 1)) as tf.Tensor2D;
  }
  return strongestWeights(weights, strongestIn(active)) as tf.Tensor2D;
}

/**
 * Pattention over parameter-token groups: Y_t = Σ_g tanh(gate_g) Θ_g(x_t K_gᵀ) V_g; of sparse groups, the sum over the
 * parameter tokens of the largest weights alone, of each group or of all that share a norm.
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
  const plain = layer.filter(isPlain).map(({ group }) => group);
  const single = layer.filter((active) => !isPlain(active) && active.norm !== 'union');
  const united = layer.filter(({ norm }) => norm === 'union').map(({ group }) => group);
  const outputs = single.map((active) => {
    const { gate } = active;
    const y = groupOutput(x, active, math, inputNeedsGradient);
    return gate === undefined ? y : tf.mul(y, tf.tanh(gate));
  });
  if (plain.length > 0) outputs.unshift(pattentionGroups(x, plain, settings, inputNeedsGradient));
  if (united.length > 0) {
    const keys = tf.concat(united.map((group) => group.keyParamTokens)); // [Σ n, dIn]
    const values = tf.concat(united.map((group) => group.valueParamTokens)); // [Σ n, dOut]
    const whole = { ...settings, tau: unionTau(math.normActivation, united) };
    if (united.some(({ clusters }) => clusters !== undefined)) {
      throw new ConfigError(
        "sparse: expected a number or a share of parameter tokens, got clusters: method 'union' has groups under one norm",
      );
    }
    const strongest = strongestOf(united[0].sparsity, keys.shape[0]);
    const want = { input: inputNeedsGradient, params: united.some(({ trainable }) => trainable) };
    outputs.push(
      strongest < keys.shape[0]
        ? sparsePattention(x, keys, values, whole, strongest)
        : pattention(x, keys, values, whole, want),
    );
  }
  return outputs.reduce((sum, y) => tf.add(sum, y)) as tf.Tensor2D;
}

/** Θ(x Kᵀ) V of one group, without its gate. */
function groupOutput(
  x: tf.Tensor2D,
  active: ActiveGroup,
  math: PattentionMath,
  inputNeedsGradient: boolean,
): tf.Tensor {
  const { group, norm } = active;
  const { keyParamTokens, valueParamTokens } = group;
  const settings = groupSettings(active, math);
  const routed = clustersIn(active);
  if (routed !== undefined) {
    const clusters = routed.read();
    return routedPattention(x, clusters, settings, Math.min(routed.best, clusters.starts.length - 1));
  }
  if (isSparse(active)) return sparsePattention(x, keyParamTokens, valueParamTokens, settings, strongestIn(active));
  // Two products, which TensorFlow.js differentiates as well as a fused operation would.
  if (norm === 'linear') return pattentionReference(x, keyParamTokens, valueParamTokens, settings).output;
  return pattentionGroups(x, [group], settings, inputNeedsGradient);
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
