import { tf } from '#src/engine';

/** Whether a gradient is being taken of what is computed now: not inside of an operation with a gradient of its own, which keeps what it needs. */
export function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = tf.engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/** Takes gradients inside of a backward pass: they start a tape of their own and leave none, so the pass gets its own back. */
export function besideTape<T>(work: () => T): T {
  const { state } = tf.engine();
  const tape = state.activeTape;
  try {
    return work();
  } finally {
    state.activeTape = tape;
  }
}

/**
 * Runs a computation that no gradient passes through: its result is a constant to the loss that it is used in, and nothing of it is
 * kept for a backward pass.
 */
export function withoutGradient<T extends tf.Tensor>(compute: () => T): T {
  if (!isRecording()) return tf.tidy(compute);
  // TensorFlow.js records nothing inside of an operation with a gradient of its own; this one has no inputs.
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))() as T;
}
