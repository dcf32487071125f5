import { tf } from './tf.js';

/**
 * Makes `backend` the current TensorFlow.js backend.
 *
 * @throws Error when it does not start: `tf.setBackend` itself only returns false and keeps the old backend
 */
export async function activateBackend(backend: string): Promise<void> {
  // Without it the cpu backend prints an advertisement, and a failing backend its stack.
  tf.enableProdMode();
  const started = await tf.setBackend(backend);
  if (!started || tf.getBackend() !== backend) {
    throw new Error(`TensorFlow.js backend '${backend}': expected it to start, got '${tf.getBackend()}' instead`);
  }
}
