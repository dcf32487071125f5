import { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';

/**
 * Σ x² over all numbers of all tensors: the square of the global norm. At least one tensor; no gradient. Kernel:
 * `SquaredNorm`.
 */
export function squaredNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  const fast = runFastKernel('SquaredNorm', { tensors }, {});
  return (fast?.[0] ?? tf.tidy(() => tf.addN(tensors.map((x) => tf.sum(tf.square(x)))))) as tf.Scalar;
}
