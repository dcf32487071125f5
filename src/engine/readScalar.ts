import type { tf } from './shared/index.js';

/** Reads one number and disposes its tensor; awaited, because a webgpu tensor cannot be read synchronously. */
export async function readScalar(scalar: tf.Tensor): Promise<number> {
  const [value] = await scalar.data();
  scalar.dispose();
  return value;
}
