import { tf } from '#src/engine';
import type { TensorData } from '../tensorData.js';

/** Runs `compute`, copies its result out of the engine and frees everything else. */
export async function hostData(compute: () => tf.Tensor): Promise<TensorData> {
  const tensor = tf.tidy(compute);
  try {
    // The cpu engine hands out its own buffer.
    return { shape: tensor.shape, values: Float32Array.from(await tensor.data()) };
  } finally {
    tensor.dispose();
  }
}
