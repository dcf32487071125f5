import { tf } from '#src/engine';

/** Enough for rows and columns to be even to a few percent, as in the papers that use it. */
const ITERATIONS = 3;

/**
 * Shares of columns in each row, evened out by Sinkhorn and Knopp's iteration so that over all rows every column gets as much:
 *
 *   Q = exp(x / temperature);   repeat:  Q ← Q / column sums / columns;  Q ← Q / row sums
 *
 * It is both a centring (no column can take everything) and, by a low temperature, a sharpening. Source: Caron et al., arXiv 2006.09882;
 * Oquab et al., arXiv 2304.07193.
 *
 * @param x [rows, columns]
 * @returns [rows, columns], each row of sum 1
 */
export function sinkhorn(x: tf.Tensor2D, temperature: number): tf.Tensor2D {
  const [, columns] = x.shape;
  const scaled = tf.div(x, temperature);
  let shares = tf.exp(tf.sub(scaled, tf.max(scaled))) as tf.Tensor2D;
  for (let i = 0; i < ITERATIONS; i++) {
    shares = tf.div(shares, tf.mul(tf.sum(shares, 0, true), columns));
    shares = tf.div(shares, tf.sum(shares, 1, true));
  }
  return shares;
}
