import { tf } from '#src/engine';

/**
 * Layer normalisation without parameters: y = (x − mean(x)) / √(var(x) + ε), biased variance, along the last axis.
 *
 * @param x [tokens, dModel]
 * @returns output [tokens, dModel] and inverse deviation [tokens, 1]
 */
export function layerNormalizeReference(
  x: tf.Tensor,
  epsilon: number,
): { output: tf.Tensor; inverseDeviation: tf.Tensor } {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true); // [tokens, 1]
  const inverseDeviation = tf.rsqrt(tf.add(variance, epsilon));
  return { output: tf.mul(centred, inverseDeviation), inverseDeviation };
}
