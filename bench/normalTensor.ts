import { tf } from '#src/engine';
import { createRandom } from '#src/random';

/** Normal numbers, the same ones for the same shape. */
export function normalTensor(shape: number[]): tf.Tensor {
  const random = createRandom(1, 'bench', ...shape);
  return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, random.normal), shape);
}
