/** @file Rearranging operands so that the register tile reads them in one stride. */
import { TILE_COLUMNS, TILE_ROWS } from './tile';

/** Bytes of B [depth, columns] packed into panels of 8 columns. */
export function packedBytes(depth: i32, columns: i32): usize {
  return <usize>depth * panelCount(columns) * TILE_COLUMNS * sizeof<f32>();
}

/** Bytes from one panel of 8 columns to the next. */
@inline
export function panelBytes(depth: i32): usize {
  return <usize>depth * TILE_COLUMNS * sizeof<f32>();
}

function panelCount(columns: i32): usize {
  return <usize>((columns + TILE_COLUMNS - 1) / TILE_COLUMNS);
}

/** B [depth, columns], rows `bRow` bytes apart → panels [columns/8][depth][8], the last one filled up with zeros. */
export function packColumns(b: usize, bRow: usize, depth: i32, columns: i32, out: usize): void {
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    let from = b + <usize>j * sizeof<f32>();
    const width = min(TILE_COLUMNS, columns - j);
    for (let k = 0; k < depth; k++) {
      if (width == TILE_COLUMNS) {
        v128.store(out, v128.load(from));
        v128.store(out, v128.load(from, 16), 16);
      } else {
        for (let i = 0; i < TILE_COLUMNS; i++) {
          store<f32>(out + i * sizeof<f32>(), i < width ? load<f32>(from + i * sizeof<f32>()) : 0);
        }
      }
      from += bRow;
      out += TILE_COLUMNS * sizeof<f32>();
    }
  }
}

/** The same panels from B stored transposed, [columns, depth]; past the last column it is repeated. */
export function packTransposedColumns(b: usize, bRow: usize, depth: i32, columns: i32, out: usize): void {
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    packFourTransposed(b, bRow, depth, columns, j, out);
    packFourTransposed(b, bRow, depth, columns, j + 4, out + 16);
    out += panelBytes(depth);
  }
}

function packFourTransposed(b: usize, bRow: usize, depth: i32, columns: i32, j: i32, out: usize): void {
  const last = columns - 1;
  let r0 = b + bRow * <usize>min(j, last);
  let r1 = b + bRow * <usize>min(j + 1, last);
  let r2 = b + bRow * <usize>min(j + 2, last);
  let r3 = b + bRow * <usize>min(j + 3, last);
  let k = depth;
  for (; k >= 4; k -= 4) {
    const x0 = v128.load(r0);
    const x1 = v128.load(r1);
    const x2 = v128.load(r2);
    const x3 = v128.load(r3);
    const low01 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const low23 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
    const high23 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<f64>(low01, low23, 0, 2));
    v128.store(out, v128.shuffle<f64>(low01, low23, 1, 3), 32);
    v128.store(out, v128.shuffle<f64>(high01, high23, 0, 2), 64);
    v128.store(out, v128.shuffle<f64>(high01, high23, 1, 3), 96);
    r0 += 16;
    r1 += 16;
    r2 += 16;
    r3 += 16;
    out += 128;
  }
  for (; k > 0; k--) {
    store<f32>(out, load<f32>(r0));
    store<f32>(out, load<f32>(r1), 4);
    store<f32>(out, load<f32>(r2), 8);
    store<f32>(out, load<f32>(r3), 12);
    r0 += 4;
    r1 += 4;
    r2 += 4;
    r3 += 4;
    out += 32;
  }
}

/** A stored transposed, [depth, rows] → panels [rows/4][depth][4]; rows past the last one are left as they are. */
export function packRowPanels(a: usize, aRow: usize, depth: i32, rows: i32, out: usize): void {
  const panel = <usize>depth * TILE_ROWS * sizeof<f32>();
  for (let k = 0; k < depth; k++) {
    let to = out;
    let i = 0;
    for (; i + TILE_ROWS <= rows; i += TILE_ROWS) {
      v128.store(to, v128.load(a + i * sizeof<f32>()));
      to += panel;
    }
    for (; i < rows; i++) {
      store<f32>(to, load<f32>(a + i * sizeof<f32>()));
      to += sizeof<f32>();
    }
    a += aRow;
    out += TILE_ROWS * sizeof<f32>();
  }
}
