import { tf } from '#src/engine';

/**
 * Runs a computation that no gradient passes through: its result is a constant to the loss that it is used in, and nothing of it is
 * kept for a backward pass.
 */
export function withoutGradient<T extends tf.Tensor>(compute: () => T): T {
  if (tf.engine().state.gradientDepth === 0) return tf.tidy(compute);
  // TensorFlow.js records nothing inside of an operation with a gradient of its own; this one has no inputs.
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))() as T;
}
