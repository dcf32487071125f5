/** @file Moving rows of bytes: what slices, splits and gathers come down to. */

/** Copies `rows` rows of `bytes` bytes; strides in bytes. */
export function copyRows(from: usize, fromRow: usize, to: usize, toRow: usize, rows: i32, bytes: usize): void {
  if (fromRow == bytes && toRow == bytes) {
    memory.copy(to, from, <usize>rows * bytes);
    return;
  }
  for (let i = 0; i < rows; i++) {
    memory.copy(to, from, bytes);
    from += fromRow;
    to += toRow;
  }
}

/**
 * to[i] = from[ids[i]], rows of `bytes` bytes.
 *
 * @param ids [count], int32
 * @returns the place of the first id outside [0, rows), where it stops, or −1
 */
export function gatherRows(from: usize, ids: usize, to: usize, count: i32, rows: i32, bytes: usize): i32 {
  for (let i = 0; i < count; i++) {
    const id = load<i32>(ids + i * sizeof<i32>());
    if (<u32>id >= <u32>rows) return i;
    memory.copy(to, from + id * bytes, bytes);
    to += bytes;
  }
  return -1;
}
