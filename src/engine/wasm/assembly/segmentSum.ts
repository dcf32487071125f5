/** @file Sums of rows by segment: the gradient of a gather. */

/**
 * output[s, ·] = Σ x[i, ·] over rows i with ids[i] = s, in the order of the rows; ids outside [0, segments) are left out.
 *
 * @param x [rows, width], and `output` [segments, width]; numbers of four bytes
 * @param ids [rows], int32
 */
export function segmentSum(x: usize, ids: usize, output: usize, rows: i32, width: i32, segments: i32): void {
  memory.fill(output, 0, <usize>segments * width * sizeof<f32>());
  const whole = <usize>(width & ~3) * sizeof<f32>();
  const bytes = <usize>width * sizeof<f32>();
  for (let i = 0; i < rows; i++) {
    const id = load<i32>(ids + i * sizeof<i32>());
    if (<u32>id < <u32>segments) {
      const to = output + id * bytes;
      let j: usize = 0;
      for (; j < whole; j += 16) v128.store(to + j, f32x4.add(v128.load(to + j), v128.load(x + j)));
      for (; j < bytes; j += 4) store<f32>(to + j, load<f32>(to + j) + load<f32>(x + j));
    }
    x += bytes;
  }
}
