import { tf } from '#src/engine';

/** dx = ( dy − mean(dy) − y mean(dy y) ) / σ, means along the last axis. */
export function layerNormalizeGradient(
  dOutput: tf.Tensor,
  [output, inverseDeviation]: readonly tf.Tensor[],
): tf.Tensor {
  return tf.tidy(() => {
    const mean = tf.mean(dOutput, -1, true);
    const along = tf.mul(output, tf.mean(tf.mul(dOutput, output), -1, true));
    return tf.mul(tf.sub(tf.sub(dOutput, mean), along), inverseDeviation);
  });
}
