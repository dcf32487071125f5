import { tf } from '#src/engine';
import type { ClusteredTokens } from '#src/kernels';
import type { Random } from '#src/random';

/** Rounds of k-means: later ones move few keys. */
const ROUNDS = 10;

/** The parameter tokens of a group in clusters, cluster by cluster: a copy of them. */
export type KeyClusters = ClusteredTokens & {
  /** [n] int32, the cluster of each parameter token in the group's own order. */
  readonly assignment: tf.Tensor1D;
};

/**
 * Clusters of similar keys by spherical k-means: keys belong to the centroid with which they have the largest cosine, and a
 * centroid is the direction of the sum of its keys' directions. Those that keep no key are left out.
 *
 * @param keys [n, dIn]
 * @param values [n, dOut]
 * @param clusters at most n
 * @param random draws the keys with which the centroids start
 */
export function clusterKeys(keys: tf.Tensor2D, values: tf.Tensor2D, clusters: number, random: Random): KeyClusters {
  const [n] = keys.shape;
  return tf.tidy(() => {
    const directions = unit(keys); // [n, dIn]
    const first = random.shuffled(Array.from({ length: n }, (_, i) => i)).slice(0, clusters);
    let centroids = tf.gather(directions, first) as tf.Tensor2D; // [clusters, dIn]
    let assignment = nearest(directions, centroids); // [n]
    for (let round = 1; round < ROUNDS; round++) {
      const sums = tf.unsortedSegmentSum(directions, assignment, clusters) as tf.Tensor2D; // [clusters, dIn]
      centroids = unit(sums);
      assignment = nearest(directions, centroids);
    }
    return arranged(keys, values, assignment.dataSync() as Int32Array);
  });
}

/** Rows of length 1; a row of zeros stays. */
function unit(rows: tf.Tensor2D): tf.Tensor2D {
  return tf.divNoNan(rows, tf.norm(rows, 2, 1, true)) as tf.Tensor2D;
}

/** The centroid of the largest cosine, [n] int32. */
function nearest(directions: tf.Tensor2D, centroids: tf.Tensor2D): tf.Tensor1D {
  return tf.argMax(tf.matMul(directions, centroids, false, true), 1) as tf.Tensor1D;
}

/** @param chosen the cluster of each key, by any numbers */
function arranged(keys: tf.Tensor2D, values: tf.Tensor2D, chosen: Int32Array): KeyClusters {
  const numbers = [...new Set(chosen)].sort((a, b) => a - b);
  const places = new Map(numbers.map((number, place) => [number, place]));
  const assignment = chosen.map((number) => places.get(number) as number);
  const order = [...assignment.keys()].sort((a, b) => assignment[a] - assignment[b] || a - b);
  const clusterOf = Int32Array.from(order, (i) => assignment[i]);
  const counts = new Int32Array(numbers.length);
  for (const cluster of assignment) counts[cluster]++;
  const starts = new Int32Array(numbers.length + 1);
  for (const [c, count] of counts.entries()) starts[c + 1] = starts[c] + count;
  const sums = tf.unsortedSegmentSum(keys, tf.tensor1d(assignment, 'int32'), numbers.length); // [clusters, dIn]
  const means = tf.div(sums, tf.tensor2d(Float32Array.from(counts), [numbers.length, 1])); // [clusters, dIn]
  const gram = tf.matMul(keys, keys, true, false); // [dIn, dIn]
  return {
    keyParamTokens: tf.gather(keys, order),
    valueParamTokens: tf.gather(values, order),
    clusterOf: tf.tensor1d(clusterOf, 'int32'),
    assignment: tf.tensor1d(assignment, 'int32'),
    guide: tf.concat([means, gram]) as tf.Tensor2D,
    starts,
  };
}
