import { tf } from './tf.js';

/** Sizes of C = A B, with A [...batchA, m, depth] and B [...batchB, depth, n] as they are after transposition. */
export interface MatMulShapes {
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  /** Batch dimensions of C, broadcast as in NumPy. */
  readonly batch: number[];
  readonly batchA: number[];
  readonly batchB: number[];
}

/**
 * The sizes of a `BatchMatMul`.
 *
 * @throws Error for anything but float32 matrices whose inner sizes agree
 */
export function matMulShapes(
  engine: string,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  { transposeA, transposeB }: tf.BatchMatMulAttrs,
): MatMulShapes {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') {
    throw new Error(`BatchMatMul: expected float32 operands on ${engine}, got ${a.dtype} and ${b.dtype}`);
  }
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new Error(`BatchMatMul: expected matrices, got [${a.shape}] and [${b.shape}]`);
  }
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [m, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [bDepth, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (depth !== bDepth) {
    const transposed = `transposeA=${transposeA === true}, transposeB=${transposeB === true}`;
    throw new Error(`BatchMatMul: expected inner sizes to agree, got [${a.shape}] · [${b.shape}] with ${transposed}`);
  }
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  return { m, n, depth, batchA, batchB, batch: tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB) };
}

/** Index in the batch → index among the matrices of an operand whose batch dimensions broadcast to it. */
export function batchPlaces(batch: readonly number[], own: readonly number[]): (index: number) => number {
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
