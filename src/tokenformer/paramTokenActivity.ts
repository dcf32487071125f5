import { tf } from '#src/engine';
import { parameterWeights } from '#src/kernels';
import type { PattentionMath } from './config.js';
import type { ParamTokenGroup } from './paramTokens.js';
import { type ActiveGroup, groupSettings, type PattentionLayer, unionTau } from './pattentionLayer.js';

/** What tokens make of the parameter tokens of one group, each matrix [tokens, numParamTokens]. */
export interface GroupActivity {
  readonly group: ParamTokenGroup;
  /** A = x Kᵀ */
  readonly scores: tf.Tensor2D;
  /** S = Θ(A); for groups under one norm, the group's columns of it. */
  readonly weights: tf.Tensor2D;
  /** |S_i| ‖V_i‖₂ |tanh gate|: the length of what parameter token i writes to the output. */
  readonly use: tf.Tensor2D;
}

/**
 * How tokens use each parameter token of a Pattention layer: u_i(x) = ‖tanh(gate) S_i(x) V_i‖₂, with S the weights as
 * `pattentionLayer` computes them.
 *
 * @param x [tokens, dIn]
 * @returns one entry per group, in the order of the layer
 */
export function layerActivity(x: tf.Tensor2D, layer: PattentionLayer, math: PattentionMath): GroupActivity[] {
  const scores = layer.map(({ group }): tf.Tensor2D => tf.matMul(x, group.keyParamTokens, false, true));
  const weights = layerWeights(scores, layer, math);
  return layer.map(({ group, gate, norm }, g) => {
    const lengths = tf.norm(group.valueParamTokens, 2, 1); // [numParamTokens]
    const scale = gate === undefined || norm === 'union' ? lengths : tf.mul(lengths, tf.abs(tf.tanh(gate)));
    return { group, scores: scores[g], weights: weights[g], use: tf.mul(tf.abs(weights[g]), scale) };
  });
}

/** Θ of every group's scores; those of groups under one norm are taken together. */
function layerWeights(scores: readonly tf.Tensor2D[], layer: PattentionLayer, math: PattentionMath): tf.Tensor2D[] {
  const isUnited = ({ norm }: ActiveGroup): boolean => norm === 'union';
  const united = layer.filter(isUnited).map(({ group }) => group);
  const sizes = united.map(({ keyParamTokens }) => keyParamTokens.shape[0]);
  const parts =
    united.length === 0
      ? []
      : tf.split(
          parameterWeights(
            tf.concat(
              scores.filter((_, g) => isUnited(layer[g])),
              1,
            ), // [tokens, Σ numParamTokens]
            { ...groupSettings({ group: united[0] }, math), tau: unionTau(math.normActivation, united) },
          ) as tf.Tensor2D,
          sizes,
          1,
        );
  return layer.map((active, g) =>
    isUnited(active)
      ? (parts.shift() as tf.Tensor2D)
      : (parameterWeights(scores[g], groupSettings(active, math)) as tf.Tensor2D),
  );
}

/**
 * Σ over tokens of use, |S| and A².
 *
 * @param counts of each token, [tokens]: 1, or 0 for padding; all 1 when absent
 * @returns [3, numParamTokens]
 */
export function activitySums({ scores, weights, use }: GroupActivity, counts?: Float32Array): tf.Tensor2D {
  const sumOf = (values: tf.Tensor2D): tf.Tensor1D => {
    if (counts === undefined) return tf.sum(values, 0);
    return tf.reshape(tf.matMul(tf.tensor2d(counts, [1, counts.length]), values), [-1]);
  };
  return tf.stack([sumOf(use), sumOf(tf.abs(weights)), sumOf(tf.square(scores))]) as tf.Tensor2D;
}
