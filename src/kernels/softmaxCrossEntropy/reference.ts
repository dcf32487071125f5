import { tf } from '#src/engine';

/**
 * The definition in plain operations: loss_t = w_t ( log Σ_c exp(z_tc) − z_t,label ).
 *
 * @param logits z, [rows, classes]
 * @param labels [rows], int32
 * @param weights w, [rows]; 0 leaves a row out
 * @returns losses [rows] and log-probabilities [rows, classes]
 */
export function softmaxCrossEntropyReference(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): { losses: tf.Tensor; logProbabilities: tf.Tensor } {
  const classes = logits.shape[1];
  const shifted = tf.sub(logits, tf.max(logits, 1, true));
  const logProbabilities = tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true))); // [rows, classes]
  const picked = tf.sum(tf.mul(logProbabilities, tf.oneHot(labels, classes)), 1); // [rows]
  return { losses: tf.neg(tf.mul(picked, weights)), logProbabilities };
}
