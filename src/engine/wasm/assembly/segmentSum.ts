/** @file Sums of rows: of all, the gradient of a broadcast, and by segment, the gradient of a gather. */

/**
 * output[s, ·] = Σ x[i, ·] over rows i with ids[i] = s, in the order of the rows; ids outside [0, segments) are left
 * out.
 *
 * @param x [rows, width], and `output` [segments, width]; int32 with `integers`, float32 without
 * @param ids [rows], int32
 */
export function segmentSum(
  x: usize,
  ids: usize,
  output: usize,
  rows: i32,
  width: i32,
  segments: i32,
  integers: bool,
): void {
  const bytes = <usize>width * sizeof<f32>();
  memory.fill(output, 0, <usize>segments * bytes);
  for (let i = 0; i < rows; i++) {
    const id = load<i32>(ids + i * sizeof<i32>());
    if (<u32>id < <u32>segments) {
      if (integers) addRow<i32>(x, output + id * bytes, bytes);
      else addRow<f32>(x, output + id * bytes, bytes);
    }
    x += bytes;
  }
}

/** output [width] = Σ x[i, ·], float32. */
export function sumRows(x: usize, output: usize, rows: i32, width: i32): void {
  const bytes = <usize>width * sizeof<f32>();
  memory.fill(output, 0, bytes);
  for (let i = 0; i < rows; i++) {
    addRow<f32>(x, output, bytes);
    x += bytes;
  }
}

function addRow<T>(x: usize, to: usize, bytes: usize): void {
  let j: usize = 0;
  for (; j + 16 <= bytes; j += 16) v128.store(to + j, v128.add<T>(v128.load(to + j), v128.load(x + j)));
  for (; j < bytes; j += 4) store<T>(to + j, load<T>(to + j) + load<T>(x + j));
}
