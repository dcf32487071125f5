import { tf } from '#src/engine';
import { IGNORE_INDEX, softmaxCrossEntropy } from '#src/kernels';

/**
 * Sum of the weighted next-token cross-entropies, in nats: Σ_t w_t · −log p(label_t). Divide by Σ w_t for the mean.
 *
 * @param logits [rows, vocabSize]
 * @param labels [rows]; IGNORE_INDEX leaves a row out
 * @param weights [rows]; 1 everywhere when absent
 */
export function summedTokenLoss(logits: tf.Tensor2D, labels: Int32Array, weights?: Float32Array): tf.Scalar {
  const effective = Float32Array.from(labels, (label, t) => (label === IGNORE_INDEX ? 0 : (weights?.[t] ?? 1)));
  return tf.sum(softmaxCrossEntropy(logits, tf.tensor1d(labels, 'int32'), tf.tensor1d(effective))) as tf.Scalar;
}

/** Σ w_t over the rows that count. */
export function totalWeight(labels: Int32Array, weights?: Float32Array): number {
  let total = 0;
  for (let t = 0; t < labels.length; t++) if (labels[t] !== IGNORE_INDEX) total += weights?.[t] ?? 1;
  return total;
}
