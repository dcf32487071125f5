import { tf } from './shared/index.js';

/** Rounds of which the median counts. */
const ROUNDS = 5;

/**
 * Speed of float32 matrix products on the current engine, in GFLOP/s (10⁹ multiplications and additions per second).
 * Square products of 512 rows, 2048 where 512 take less than 3 ms, chained so that none can be skipped or overlapped;
 * the result is awaited, because GPU engines return from `matMul` before the work is done.
 */
export async function measureMatmul(): Promise<number> {
  const small = createMatrix(512);
  await timeProducts(small, 1);
  const fast = (await timeProducts(small, 1)) < 3e-3;
  const matrix = fast ? createMatrix(2048) : small;
  await timeProducts(matrix, 1);
  const count = Math.min(64, Math.max(1, Math.ceil(0.05 / (await timeProducts(matrix, 1)))));
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) seconds.push(await timeProducts(matrix, count));
  const median = seconds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  const operations = 2 * matrix.shape[0] ** 3 * count;
  tf.dispose([small, matrix]);
  return operations / median / 1e9;
}

/** A [size, size] matrix with entries of variance 1/size: powers of it neither overflow nor become denormal. */
function createMatrix(size: number): tf.Tensor2D {
  const scale = Math.sqrt(2 / size);
  const entries = Float32Array.from({ length: size * size }, (_, i) => scale * Math.sin(i * 12.9898));
  return tf.tensor2d(entries, [size, size]);
}

/** Seconds for `count` products with `matrix`, until the result can be read. */
async function timeProducts(matrix: tf.Tensor2D, count: number): Promise<number> {
  const start = performance.now();
  let product: tf.Tensor = matrix.clone();
  for (let i = 0; i < count; i++) {
    const next = tf.matMul(product, matrix);
    product.dispose();
    product = next;
  }
  const corner = tf.slice(product, [0, 0], [1, 1]);
  await corner.data();
  tf.dispose([product, corner]);
  return (performance.now() - start) / 1000;
}
