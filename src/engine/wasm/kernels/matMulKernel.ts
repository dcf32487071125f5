import { tf } from '../../tf.js';
import type { KernelContext, WasmKernel } from './kernelContext.js';

/**
 * `BatchMatMul`, C = A B with either operand stored transposed, batch dimensions broadcast as in NumPy.
 *
 * The stock kernel is fast for a single untransposed product only, and keeps packed weights per tensor; every backward
 * pass has a transposed operand.
 */
export function matMulKernel(context: KernelContext): Record<string, WasmKernel> {
  return {
    [tf.BatchMatMul]: ({ a, b }, { transposeA, transposeB }) => {
      if (a.dtype !== 'float32' || b.dtype !== 'float32') {
        throw new Error(`BatchMatMul: expected float32 operands on wasm, got ${a.dtype} and ${b.dtype}`);
      }
      const [aRows, aColumns] = a.shape.slice(-2);
      const [bRows, bColumns] = b.shape.slice(-2);
      const [m, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
      const [bDepth, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
      if (depth !== bDepth) {
        const transposed = `transposeA=${transposeA === true}, transposeB=${transposeB === true}`;
        throw new Error(
          `BatchMatMul: expected inner sizes to agree, got [${a.shape}] · [${b.shape}] with ${transposed}`,
        );
      }
      const batchA = a.shape.slice(0, -2);
      const batchB = b.shape.slice(0, -2);
      const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
      const result = context.output([...batch, m, n]); // [...batch, m, n]
      if (tf.util.sizeFromShape(result.shape) === 0) return result;

      const [from, by, to] = [a, b, result].map((tensor) => context.address(tensor));
      const { matMul, matMulScratch } = context.module;
      const flags = [transposeA ? 1 : 0, transposeB ? 1 : 0];
      const sharedB = tf.util.sizeFromShape(batchB) === 1;
      // One right operand for the whole batch: all rows of A are one tall matrix.
      const rows = sharedB && !transposeA ? m * tf.util.sizeFromShape(batchA) : m;
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

/** Index in the batch → index among the matrices of an operand whose batch dimensions broadcast to it. */
function batchPlaces(batch: readonly number[], own: readonly number[]): (index: number) => number {
  const count = tf.util.sizeFromShape([...own]);
  if (count === 1) return () => 0;
  if (count === tf.util.sizeFromShape([...batch])) return (index) => index;
  return (index) => {
    let place = 0;
    let stride = 1;
    let rest = index;
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      const size = own[axis - batch.length + own.length] ?? 1;
      if (size > 1) place += (rest % batch[axis]) * stride;
      stride *= size;
      rest = Math.floor(rest / batch[axis]);
    }
    return place;
  };
}
