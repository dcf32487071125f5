import { batchPlaces, matMulShapes, type StockKernels, tf } from '../../shared/index.js';
import type { KernelContext } from './kernelContext.js';

/**
 * `BatchMatMul`, C = A B with either operand stored transposed, batch dimensions broadcast as in NumPy.
 *
 * The stock kernel is fast for a single untransposed product only, and keeps packed weights per tensor; every backward
 * pass has a transposed operand.
 */
export function matMulKernel(context: KernelContext): StockKernels<'BatchMatMul'> {
  return {
    BatchMatMul: ({ a, b }, attributes) => {
      const { m, n, depth, batch, batchA, batchB } = matMulShapes('wasm', a, b, attributes);
      const result = context.output([...batch, m, n]); // [...batch, m, n]
      if (tf.util.sizeFromShape(result.shape) === 0) return result;

      const [from, by, to] = [a, b, result].map((tensor) => context.address(tensor));
      const { matMul, matMulScratch } = context.module;
      const flags = [attributes.transposeA ? 1 : 0, attributes.transposeB ? 1 : 0];
      const sharedB = tf.util.sizeFromShape(batchB) === 1;
      // One right operand for the whole batch: all rows of A are one tall matrix.
      const rows = sharedB && !attributes.transposeA ? m * tf.util.sizeFromShape(batchA) : m;
      const products = tf.util.sizeFromShape(result.shape) / (rows * n);
      context.scratch(matMulScratch(rows, n, depth), (scratch) => {
        const placeA = batchPlaces(batch, batchA);
        const placeB = batchPlaces(batch, batchB);
        for (let i = 0; i < products; i++) {
          const left = from + 4 * placeA(i) * m * depth;
          matMul(left, by + 4 * placeB(i) * depth * n, to + 4 * i * rows * n, rows, n, depth, ...flags, scratch);
        }
      });
      return result;
    },
  };
}
