import { tf } from '#src/engine';
import { softmaxCrossEntropy } from '../softmaxCrossEntropy/index.js';

/**
 * The definition in plain operations, with all logits at once: loss_t = w_t ( log Σ_c exp(s_t·e_c) − s_t·e_label ).
 *
 * @param states s, [rows, dModel]
 * @param embedding e, [vocabSize, dModel]
 * @param labels [rows], int32
 * @param weights w, [rows]; 0 leaves a row out
 * @returns [rows]
 */
export function linearCrossEntropyReference(
  states: tf.Tensor2D,
  embedding: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): tf.Tensor1D {
  const logits = tf.matMul(states, embedding, false, true) as tf.Tensor2D; // [rows, vocabSize]
  return softmaxCrossEntropy(logits, labels, weights);
}
