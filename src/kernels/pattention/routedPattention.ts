import { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';
import { expectPattentionShapes } from './pattention.js';
import { type PattentionSettings, parameterWeights } from './reference.js';
import { refuseGradient } from './sparsePattention.js';

/** Parameter tokens in clusters of similar keys, and what leads to them. */
export type ClusteredTokens = {
  /** [n, dIn], cluster by cluster. */
  readonly keyParamTokens: tf.Tensor2D;
  /** [n, dOut], in the same order. */
  readonly valueParamTokens: tf.Tensor2D;
  /** [n] int32, the cluster of each. */
  readonly clusterOf: tf.Tensor1D;
  /** [clusters + dIn, dIn]: the mean key of every cluster, then KᵀK. */
  readonly guide: tf.Tensor2D;
  /** Cluster c is the parameter tokens starts[c] to starts[c + 1]; one more than there are clusters. */
  readonly starts: Int32Array;
};

/**
 * 1 for the clusters that a token uses, 0 for the others: those whose score is at least the best-th largest.
 *
 * @param scores x · centroids, [tokens, clusters]
 * @returns [tokens, clusters]
 */
export function usedClusters(scores: tf.Tensor2D, best: number): tf.Tensor2D {
  return tf.tidy(() => {
    const least = tf.slice(tf.topk(scores, best).values, [0, best - 1], [-1, 1]); // [tokens, 1]
    return tf.cast(tf.greaterEqual(scores, least), 'float32') as tf.Tensor2D;
  });
}

/**
 * Token-parameter attention in which each token uses only the clusters of parameter tokens whose centroids score highest:
 *
 *   Y = (Θ(X Kᵀ) ∘ M) V,   M_ti = 1 where the cluster of i is among the `best` of token t by x_t · centroid
 *
 * Θ's norm is that over all scores. A kernel reads neither keys nor values of the other clusters and has the norm from
 * ‖x Kᵀ‖² = x (KᵀK) xᵀ; the definition computes all scores. For inference. Kernel: `RoutedPattention`.
 *
 * @param x [tokens, dIn]
 * @param best from 1 to the number of clusters, which gives the result of `pattention`
 * @returns [tokens, dOut]
 * @throws Error when dIn or numParamTokens disagree, for a `best` out of range, and inside a gradient
 */
export function routedPattention(
  x: tf.Tensor2D,
  { keyParamTokens, valueParamTokens, clusterOf, guide, starts }: ClusteredTokens,
  settings: PattentionSettings,
  best: number,
): tf.Tensor2D {
  expectPattentionShapes(x, keyParamTokens, valueParamTokens);
  const clusters = starts.length - 1;
  if (!Number.isInteger(best) || best < 1 || best > clusters) {
    throw new Error(`routedPattention: expected 1 to ${clusters} clusters for each token, got ${best}`);
  }
  refuseGradient('routedPattention');
  return tf.tidy(() => {
    const guidance = tf.matMul(x, guide, false, true) as tf.Tensor2D; // [tokens, clusters + dIn]
    const inputs = { x, keyParamTokens, valueParamTokens, guidance };
    const fast = runFastKernel('RoutedPattention', inputs, { ...settings, best, starts });
    if (fast) return fast[0] as tf.Tensor2D;
    const used = usedClusters(tf.slice(guidance, [0, 0], [-1, clusters]), best); // [tokens, clusters]
    const scores = tf.matMul(x, keyParamTokens, false, true); // [tokens, numParamTokens]
    const weights = tf.mul(parameterWeights(scores, settings), tf.gather(used, clusterOf, 1)); // [tokens, numParamTokens]
    return tf.matMul(weights, valueParamTokens) as tf.Tensor2D; // [tokens, dOut]
  });
}
