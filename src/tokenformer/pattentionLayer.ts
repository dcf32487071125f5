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
import type { PattentionMath } from './config.js';
import type { ParamTokenGroup } from './paramTokens.js';
import type { RemoteSum } from './remoteGroups.js';
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

/** Whether another process holds a group. */
export function isRemote({ group }: ActiveGroup): boolean {
  return group.remote !== undefined;
}

/** Whether a group takes part as it is: all of it, in this process, under a norm of its own, without a gate. */
export function isPlain(active: ActiveGroup): boolean {
  return !isRemote(active) && active.gate === undefined && (active.norm ?? 'own') === 'own' && !isSparse(active);
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

/** Tokens, and a layer that reads them. */
export interface LayerInput {
  /** [tokens, dIn] */
  readonly x: tf.Tensor2D;
  /** At least one group. */
  readonly layer: PattentionLayer;
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
  return pattentionLayers([{ x, layer }], math, inputNeedsGradient)[0];
}

/**
 * `pattentionLayer` of several layers that do not wait for each other. What another process holds of them is asked for in one
 * request; the groups of this process are computed while it is under way.
 *
 * @returns [tokens, dOut] each
 */
export function pattentionLayers(
  inputs: readonly LayerInput[],
  math: PattentionMath,
  inputNeedsGradient = true,
): tf.Tensor2D[] {
  if (!inputs.some(({ layer }) => layer.some(isRemote)))
    return inputs.map(({ x, layer }) => localLayer(x, layer, math, inputNeedsGradient));
  const asked = inputs.map(({ x, layer }) => remoteSums(x, layer));
  const source = inputs.flatMap(({ layer }) => layer.flatMap(({ group }) => group.remote?.source ?? []))[0];
  const pending = source.request(asked.flat(), math);
  const local = inputs.map(({ x, layer }) => {
    const own = layer.filter((active) => !isRemote(active));
    return own.length > 0 ? localLayer(x, own, math, inputNeedsGradient) : undefined;
  });
  const answers = pending.read();
  let next = 0;
  return inputs.map(({ x }, i) => {
    const parts: tf.Tensor[] = local[i] ? [local[i]] : [];
    for (const { gate, dOut } of asked[i]) {
      const y = answers?.[next++] ?? tf.zeros<tf.Rank.R2>([x.shape[0], dOut]); // [tokens, dOut]
      parts.push(gate === undefined ? y : tf.mul(y, tf.tanh(gate)));
    }
    return parts.reduce((sum, y) => tf.add(sum, y)) as tf.Tensor2D;
  });
}

/** What to ask of another process for a layer: one sum over its groups, and each with a gate for itself, as gates stay here. */
function remoteSums(x: tf.Tensor2D, layer: PattentionLayer): (RemoteSum & Pick<ActiveGroup, 'gate'>)[] {
  const remote = layer.flatMap((active) => (active.group.remote ? [{ ...active, at: active.group.remote }] : []));
  if (remote.length > 0 && layer.some(({ norm }) => norm === 'union'))
    throw new Error('pattentionLayers: expected groups with norms of their own, as some are in another process');
  const sumOf = (groups: typeof remote, gate?: tf.Scalar) => ({
    ...{ x, gate, dOut: groups[0].at.dOut },
    groups: groups.map(({ at, norm }) => ({ path: at.path, linear: norm === 'linear' })),
  });
  const open = remote.filter(({ gate }) => gate === undefined);
  const gated = remote.filter(({ gate }) => gate !== undefined);
  return [...(open.length > 0 ? [sumOf(open)] : []), ...gated.map((active) => sumOf([active], active.gate))];
}

/** A layer whose groups are all in this process. */
function localLayer(
  x: tf.Tensor2D,
  layer: PattentionLayer,
  math: PattentionMath,
  inputNeedsGradient: boolean,
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
