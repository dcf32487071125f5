/** @file How many rows of weights are kept at a time. */

/** Numbers of one block of weights: 256 KiB, a quarter of a usual second-level cache. */
const BLOCK_NUMBERS: i32 = 65536;
const MAX_BLOCK_ROWS: i32 = 96;

/** Rows of a block of `width` numbers each, a multiple of 4. */
export function blockRows(width: i32): i32 {
  return max(4, min(MAX_BLOCK_ROWS, (BLOCK_NUMBERS / max(width, 1)) & ~3));
}
