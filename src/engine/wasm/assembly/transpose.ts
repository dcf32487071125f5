/** @file Swapping two axes, for numbers of four bytes. */

/** Side of a square of numbers that is turned at once: its 2 · 32 rows of 128 bytes stay in the first-level cache. */
const SQUARE: i32 = 32;

/** [batch, rows, columns] → [batch, columns, rows] */
export function transposeMatrices(x: usize, output: usize, batch: i32, rows: i32, columns: i32): void {
  const bytes = <usize>rows * columns * sizeof<f32>();
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i += SQUARE) {
      for (let j = 0; j < columns; j += SQUARE) {
        transposeSquare(x, output, i, min(i + SQUARE, rows), j, min(j + SQUARE, columns), rows, columns);
      }
    }
    x += bytes;
    output += bytes;
  }
}

function transposeSquare(
  x: usize,
  output: usize,
  top: i32,
  bottom: i32,
  left: i32,
  right: i32,
  rows: i32,
  columns: i32,
): void {
  const inRow = <usize>columns * sizeof<f32>();
  const outRow = <usize>rows * sizeof<f32>();
  let i = top;
  for (; i + 4 <= bottom; i += 4) {
    let from = x + i * inRow + left * sizeof<f32>();
    let to = output + left * outRow + i * sizeof<f32>();
    let j = left;
    for (; j + 4 <= right; j += 4) {
      const x0 = v128.load(from);
      const x1 = v128.load(from + inRow);
      const x2 = v128.load(from + 2 * inRow);
      const x3 = v128.load(from + 3 * inRow);
      const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<f64>(low01, low23, 0, 2));
      v128.store(to + outRow, v128.shuffle<f64>(low01, low23, 1, 3));
      v128.store(to + 2 * outRow, v128.shuffle<f64>(high01, high23, 0, 2));
      v128.store(to + 3 * outRow, v128.shuffle<f64>(high01, high23, 1, 3));
      from += 16;
      to += 4 * outRow;
    }
    for (; j < right; j++) {
      for (let r: usize = 0; r < 4; r++) store<f32>(to + r * sizeof<f32>(), load<f32>(from + r * inRow));
      from += 4;
      to += outRow;
    }
  }
  for (; i < bottom; i++) {
    for (let j = left; j < right; j++) {
      const value = load<f32>(x + i * inRow + j * sizeof<f32>());
      store<f32>(output + j * outRow + i * sizeof<f32>(), value);
    }
  }
}

/** [batch, rows, columns, width] → [batch, columns, rows, width] */
export function swapAxes(x: usize, output: usize, batch: i32, rows: i32, columns: i32, width: i32): void {
  const bytes = <usize>width * sizeof<f32>();
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        memory.copy(output + ((b * columns + j) * rows + i) * bytes, x, bytes);
        x += bytes;
      }
    }
  }
}
