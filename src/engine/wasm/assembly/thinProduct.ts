/** @file Products of a few rows, as in decoding token by token: B is read once, where it lies. */
import { packColumns } from './packing';
import { TILE_COLUMNS, TILE_ROWS, tile } from './tile';
import { sumLanes } from './vectorMath';

/** Up to so many rows packing B would cost more than it saves. */
export const THIN_ROWS: i32 = 8;

/** C [m, n] = A [m, depth] B [depth, n], or +=; strides in bytes; `packed` has room for depth × 8 numbers. */
export function rowsTimesMatrix(
  a: usize,
  aRow: usize,
  b: usize,
  bRow: usize,
  c: usize,
  cRow: usize,
  m: i32,
  n: i32,
  depth: i32,
  accumulate: bool,
  work: usize,
  packed: usize,
): void {
  let done = 0;
  if (m == 1) {
    done = n & ~15;
    for (let at: usize = 0; at < <usize>done * sizeof<f32>(); at += 64) {
      rowTimesWide(a, b + at, bRow, c + at, depth, accumulate);
    }
  }
  for (let j = done; j < n; j += TILE_COLUMNS) {
    const columns = n - j;
    let from = b + j * sizeof<f32>();
    let step = bRow;
    if (columns < TILE_COLUMNS) {
      // A whole tile would read past the last row.
      packColumns(from, bRow, depth, columns, packed);
      from = packed;
      step = TILE_COLUMNS * sizeof<f32>();
    }
    for (let i = 0; i < m; i += TILE_ROWS) {
      const to = c + i * cRow + j * sizeof<f32>();
      tile<f32>(a + i * aRow, aRow, min(TILE_ROWS, m - i), from, step, depth, to, cRow, columns, accumulate, work);
    }
  }
}

/** One row times 16 columns, a cache line of B. */
function rowTimesWide(a: usize, b: usize, bRow: usize, c: usize, depth: i32, accumulate: bool): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  if (accumulate) {
    s0 = v128.load(c);
    s1 = v128.load(c, 16);
    s2 = v128.load(c, 32);
    s3 = v128.load(c, 48);
  }
  for (let k = 0; k < depth; k++) {
    const x = v128.load_splat<f32>(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(b, 48)));
    a += sizeof<f32>();
    b += bRow;
  }
  v128.store(c, s0);
  v128.store(c, s1, 16);
  v128.store(c, s2, 32);
  v128.store(c, s3, 48);
}

/** C [m, n] = A [m, depth] Bᵀ, B [n, depth]: inner products of rows with rows, four at a time. */
export function rowsTimesColumns(
  a: usize,
  aRow: usize,
  b: usize,
  bRow: usize,
  c: usize,
  cRow: usize,
  m: i32,
  n: i32,
  depth: i32,
): void {
  const whole = depth & ~3;
  for (let j = 0; j < n; j += 4) {
    const b0 = b + j * bRow;
    const b1 = b + bRow * <usize>min(j + 1, n - 1);
    const b2 = b + bRow * <usize>min(j + 2, n - 1);
    const b3 = b + bRow * <usize>min(j + 3, n - 1);
    for (let i = 0; i < m; i++) {
      const row = a + i * aRow;
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      for (let k: usize = 0; k < <usize>whole * sizeof<f32>(); k += 16) {
        const x = v128.load(row + k);
        s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b0 + k)));
        s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b1 + k)));
        s2 = f32x4.add(s2, f32x4.mul(x, v128.load(b2 + k)));
        s3 = f32x4.add(s3, f32x4.mul(x, v128.load(b3 + k)));
      }
      let y0 = sumLanes(s0);
      let y1 = sumLanes(s1);
      let y2 = sumLanes(s2);
      let y3 = sumLanes(s3);
      for (let k = <usize>whole * sizeof<f32>(); k < <usize>depth * sizeof<f32>(); k += 4) {
        const x = load<f32>(row + k);
        y0 += x * load<f32>(b0 + k);
        y1 += x * load<f32>(b1 + k);
        y2 += x * load<f32>(b2 + k);
        y3 += x * load<f32>(b3 + k);
      }
      // Written from the back: repeated columns past the edge fall on the last one, which then gets its own value.
      const to = c + i * cRow;
      store<f32>(to + <usize>min(j + 3, n - 1) * sizeof<f32>(), y3);
      store<f32>(to + <usize>min(j + 2, n - 1) * sizeof<f32>(), y2);
      store<f32>(to + <usize>min(j + 1, n - 1) * sizeof<f32>(), y1);
      store<f32>(to + j * sizeof<f32>(), y0);
    }
  }
}
