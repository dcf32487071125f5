import { tf } from '#src/engine';
import { IGNORE_INDEX, linearCrossEntropy } from '#src/kernels';
import type { ParameterTree } from '#src/tokenformer';
import { tokenEmbedding } from './backbone.js';

/**
 * Weighted next-token cross-entropies of the language output, in nats: w_t · −log p(label_t), without keeping its logits.
 *
 * @param hidden what `languageHidden` gave, [rows, dModel]
 * @param labels [rows]; IGNORE_INDEX leaves a row out
 * @param weights [rows]; 1 everywhere when absent
 * @returns [rows]
 */
export function tokenLosses(
  tree: ParameterTree,
  hidden: tf.Tensor2D,
  labels: Int32Array,
  weights?: Float32Array,
): tf.Tensor1D {
  return lossesOfTensors(tree, hidden, tf.tensor1d(labels, 'int32'), tf.tensor1d(labelWeights(labels, weights)));
}

/** The same of tensors; a label counts where its weight is not 0. */
export function lossesOfTensors(
  tree: ParameterTree,
  hidden: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): tf.Tensor1D {
  const { embedding, trainable } = tokenEmbedding(tree);
  return linearCrossEntropy(hidden, embedding, labels, weights, { states: true, embedding: trainable });
}

/** What labels count: 0 for IGNORE_INDEX, otherwise their weights, 1 unless given. */
export function labelWeights(labels: Int32Array, weights?: Float32Array): Float32Array {
  const effective = new Float32Array(labels.length);
  // A loop: `from` with a function takes milliseconds for a batch.
  for (let t = 0; t < labels.length; t++) effective[t] = labels[t] === IGNORE_INDEX ? 0 : (weights?.[t] ?? 1);
  return effective;
}

/** Their sum; divide by `totalWeight` for the mean. */
export function summedTokenLoss(...args: Parameters<typeof tokenLosses>): tf.Scalar {
  return tf.sum(tokenLosses(...args));
}

/** Σ w_t over the rows that count. */
export function totalWeight(labels: Int32Array, weights?: Float32Array): number {
  let total = 0;
  for (let t = 0; t < labels.length; t++) if (labels[t] !== IGNORE_INDEX) total += weights?.[t] ?? 1;
  return total;
}
