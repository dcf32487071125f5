/**
 * @file The register tile of every matrix product here: 4 rows by 8 columns of C in eight SIMD registers.
 *
 * A step is 6 loads, 8 multiplications and 8 additions. V8 moves all loads of a basic block to its front, so 8
 * accumulators, 6 operands and a product are alive at once: the 15 registers it hands out. A larger tile or an unrolled
 * loop spills (unrolled four times: 25 GFLOP/s where this one reaches 36).
 */

export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 8;

@inline
function multiplyAdd(sum: v128, x: v128, y: v128): v128 {
  return f32x4.add(sum, f32x4.mul(x, y));
}

/**
 * C[0..rows, 0..columns] = A B, or += with `accumulate`. All strides in bytes.
 *
 * TStep stands for the bytes from one depth to the next in A: f32 when rows of A lie as they are, v128 when four rows
 * were interleaved (`packRowPanels`).
 *
 * Rows past `rows` repeat the last one: the same values go to the same place. Columns past `columns` are computed and
 * dropped, by way of the 128 bytes at `edge`.
 */
export function tile<TStep>(
  a: usize,
  aRow: usize,
  rows: i32,
  b: usize,
  bStep: usize,
  depth: i32,
  c: usize,
  cRow: usize,
  columns: i32,
  accumulate: bool,
  edge: usize,
): void {
  const lastRow = rows - 1;
  let a0 = a;
  let a1 = a + aRow * <usize>min(1, lastRow);
  let a2 = a + aRow * <usize>min(2, lastRow);
  let a3 = a + aRow * <usize>min(3, lastRow);
  const whole = columns >= TILE_COLUMNS;
  const c0 = whole ? c : edge;
  const outRow: usize = whole ? cRow : TILE_COLUMNS * sizeof<f32>();
  const c1 = c0 + outRow * <usize>min(1, lastRow);
  const c2 = c0 + outRow * <usize>min(2, lastRow);
  const c3 = c0 + outRow * <usize>min(3, lastRow);

  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  if (accumulate && whole) {
    s00 = v128.load(c0);
    s01 = v128.load(c0, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
  }

  let b0: v128, b1: v128, x: v128;
  for (let k = 0; k < depth; k++) {
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    b += bStep;
    x = v128.load_splat<f32>(a0);
    s00 = multiplyAdd(s00, x, b0);
    s01 = multiplyAdd(s01, x, b1);
    x = v128.load_splat<f32>(a1);
    s10 = multiplyAdd(s10, x, b0);
    s11 = multiplyAdd(s11, x, b1);
    x = v128.load_splat<f32>(a2);
    s20 = multiplyAdd(s20, x, b0);
    s21 = multiplyAdd(s21, x, b1);
    x = v128.load_splat<f32>(a3);
    s30 = multiplyAdd(s30, x, b0);
    s31 = multiplyAdd(s31, x, b1);
    a0 += sizeof<TStep>();
    a1 += sizeof<TStep>();
    a2 += sizeof<TStep>();
    a3 += sizeof<TStep>();
  }

  v128.store(c0, s00);
  v128.store(c0, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
  if (!whole) copyEdge(edge, rows, columns, c, cRow, accumulate);
}

function copyEdge(edge: usize, rows: i32, columns: i32, c: usize, cRow: usize, accumulate: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const to = c + i * cRow + j * sizeof<f32>();
      const value = load<f32>(edge + (i * TILE_COLUMNS + j) * sizeof<f32>());
      store<f32>(to, accumulate ? load<f32>(to) + value : value);
    }
  }
}
