import { tf } from '#src/engine';
import { requireResult, runFastKernel } from '../fastKernel.js';
import { fusedOp } from '../fusedOp.js';
import { softmaxCrossEntropyReference } from './reference.js';

export { softmaxCrossEntropyReference } from './reference.js';

/** The label of a row that does not count. */
export const IGNORE_INDEX = -100;

/**
 * Weighted cross-entropy of every row, in nats: loss_t = w_t ( log Σ_c exp(z_tc) − z_t,label ), dz = w_t (p − onehot) dloss.
 *
 * Rows labelled `IGNORE_INDEX` must come with weight 0; their label is read as 0. Kernels:
 * `SoftmaxCrossEntropy` and `SoftmaxCrossEntropyGrad`; without them the log-probabilities are kept for the gradient.
 *
 * @param logits [rows, classes]
 * @param labels [rows], int32, in [0, classes) or IGNORE_INDEX
 * @param weights [rows]
 * @returns [rows]
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, weights: tf.Tensor1D): tf.Tensor1D {
  const safeLabels = tf.tidy(() => tf.maximum(labels, tf.scalar(0, 'int32'))) as tf.Tensor1D;
  return fusedOp({
    inputs: [logits],
    wanted: [true],
    forward: () => {
      const fast = runFastKernel('SoftmaxCrossEntropy', { logits, labels: safeLabels, weights }, {});
      if (fast) return { output: fast[0], saved: [logits, safeLabels, weights, fast[1]] };
      const { losses, logProbabilities } = softmaxCrossEntropyReference(logits, safeLabels, weights);
      return { output: losses, saved: [logProbabilities, safeLabels, weights] };
    },
    backward: (dLosses, [first, savedLabels, savedWeights, logSumExp]) => {
      if (logSumExp !== undefined) {
        const inputs = { dLosses, logits: first, labels: savedLabels, weights: savedWeights, logSumExp };
        return requireResult(runFastKernel('SoftmaxCrossEntropyGrad', inputs, {}));
      }
      return [
        tf.tidy(() => {
          const error = tf.sub(tf.exp(first), tf.oneHot(savedLabels as tf.Tensor1D, logits.shape[1]));
          return tf.mul(error, tf.reshape(tf.mul(savedWeights, dLosses), [-1, 1]));
        }),
      ];
    },
  }) as tf.Tensor1D;
}
