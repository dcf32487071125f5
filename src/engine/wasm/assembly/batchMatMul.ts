/** @file One matrix product of a batch, any operand stored transposed. */
import { multiply, multiplyTransposed, WORK_BYTES } from './matrixProduct';
import { packColumns, packedBytes, packTransposedColumns, panelBytes } from './packing';
import { rowsTimesColumns, rowsTimesMatrix, THIN_ROWS } from './thinProduct';

/** Scratch bytes of `matMul`. */
export function matMulScratch(m: i32, n: i32, depth: i32): usize {
  return WORK_BYTES + packedBytes(depth, n);
}

/**
 * C [m, n] = A B, all dense.
 *
 * @param a [m, depth], or [depth, m] with `transposeA`
 * @param b [depth, n], or [n, depth] with `transposeB`
 */
export function matMul(
  a: usize,
  b: usize,
  c: usize,
  m: i32,
  n: i32,
  depth: i32,
  transposeA: bool,
  transposeB: bool,
  scratch: usize,
): void {
  const aRow = <usize>(transposeA ? m : depth) * sizeof<f32>();
  const bRow = <usize>(transposeB ? depth : n) * sizeof<f32>();
  const cRow = <usize>n * sizeof<f32>();
  // A vector stored either way is the same bytes.
  const rowsAreDense = !transposeA || m == 1;
  const packed = scratch + WORK_BYTES;
  if (rowsAreDense && m <= THIN_ROWS) {
    const dense = <usize>depth * sizeof<f32>();
    if (transposeB) rowsTimesColumns(a, dense, b, bRow, c, cRow, m, n, depth);
    else rowsTimesMatrix(a, dense, b, bRow, c, cRow, m, n, depth, false, scratch, packed);
    return;
  }
  if (transposeB) packTransposedColumns(b, bRow, depth, n, packed);
  else packColumns(b, bRow, depth, n, packed);
  if (transposeA) multiplyTransposed(a, aRow, packed, panelBytes(depth), c, cRow, m, n, depth, false, scratch);
  else multiply(a, aRow, packed, panelBytes(depth), c, cRow, m, n, depth, false, scratch);
}
