/**
 * @file Products with one operand packed: C = A B or C += A B, and the same for A stored transposed.
 *
 * Strides are in bytes. Every function takes `work`, WORK_BYTES of scratch memory.
 */
import { packRowPanels } from './packing';
import { TILE_COLUMNS, TILE_ROWS, tile } from './tile';

/** Depth of one pass: a panel of B of 256 × 8 (8 KiB) stays in the first-level cache while rows of A stream past. */
const DEPTH_BLOCK: i32 = 256;
/** Rows of one pass: 96 × 256 of A (96 KiB) stay in the second-level cache while panels of B stream past. */
const ROW_BLOCK: i32 = 96;

const EDGE_BYTES: usize = TILE_ROWS * TILE_COLUMNS * sizeof<f32>();
/** Room for the edge of a tile and one packed block of A. */
export const WORK_BYTES: usize = EDGE_BYTES + ROW_BLOCK * DEPTH_BLOCK * sizeof<f32>();

/** A [m, depth] times B in panels of 8 columns, `bPanel` apart (a panel may be deeper than `depth`); C [m, n]. */
export function multiply(
  a: usize,
  aRow: usize,
  b: usize,
  bPanel: usize,
  c: usize,
  cRow: usize,
  m: i32,
  n: i32,
  depth: i32,
  accumulate: bool,
  work: usize,
): void {
  if (depth == 0 && !accumulate) clear(c, cRow, m, n);
  const depthBlock = evenBlock(depth, DEPTH_BLOCK);
  for (let k = 0; k < depth; k += depthBlock) {
    const deep = min(depthBlock, depth - k);
    const add = accumulate || k > 0;
    for (let top = 0; top < m; top += ROW_BLOCK) {
      const bottom = min(top + ROW_BLOCK, m);
      let panel = b + <usize>k * TILE_COLUMNS * sizeof<f32>();
      for (let j = 0; j < n; j += TILE_COLUMNS) {
        for (let i = top; i < bottom; i += TILE_ROWS) {
          tile<f32>(
            a + i * aRow + k * sizeof<f32>(),
            aRow,
            min(TILE_ROWS, bottom - i),
            panel,
            TILE_COLUMNS * sizeof<f32>(),
            deep,
            c + i * cRow + j * sizeof<f32>(),
            cRow,
            n - j,
            add,
            work,
          );
        }
        panel += bPanel;
      }
    }
  }
}

/** The same for A stored transposed, [depth, m]. */
export function multiplyTransposed(
  a: usize,
  aRow: usize,
  b: usize,
  bPanel: usize,
  c: usize,
  cRow: usize,
  m: i32,
  n: i32,
  depth: i32,
  accumulate: bool,
  work: usize,
): void {
  if (depth == 0 && !accumulate) clear(c, cRow, m, n);
  const packed = work + EDGE_BYTES;
  const depthBlock = evenBlock(depth, DEPTH_BLOCK);
  for (let k = 0; k < depth; k += depthBlock) {
    const deep = min(depthBlock, depth - k);
    const add = accumulate || k > 0;
    for (let top = 0; top < m; top += ROW_BLOCK) {
      const high = min(ROW_BLOCK, m - top);
      packRowPanels(a + k * aRow + top * sizeof<f32>(), aRow, deep, high, packed);
      let panel = b + <usize>k * TILE_COLUMNS * sizeof<f32>();
      for (let j = 0; j < n; j += TILE_COLUMNS) {
        for (let i = 0; i < high; i += TILE_ROWS) {
          tile<v128>(
            packed + i * deep * sizeof<f32>(),
            sizeof<f32>(),
            min(TILE_ROWS, high - i),
            panel,
            TILE_COLUMNS * sizeof<f32>(),
            deep,
            c + (top + i) * cRow + j * sizeof<f32>(),
            cRow,
            n - j,
            add,
            work,
          );
        }
        panel += bPanel;
      }
    }
  }
}

/** A block size at most `limit` that splits `length` into nearly equal parts, a multiple of 4. */
function evenBlock(length: i32, limit: i32): i32 {
  const parts = (length + limit - 1) / limit;
  return parts <= 1 ? max(length, 1) : ((length + parts - 1) / parts + 3) & ~3;
}

function clear(c: usize, cRow: usize, m: i32, n: i32): void {
  for (let i = 0; i < m; i++) memory.fill(c + i * cRow, 0, <usize>n * sizeof<f32>());
}
