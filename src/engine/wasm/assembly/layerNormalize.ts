/** @file Layer normalisation without parameters, and its gradient, row by row. */
import { rowDot } from './softmaxRow';
import { loadEnd, storeEnd, sumLanes } from './vectorMath';

/** y = (x − mean)/√(variance + ε), and 1/√(variance + ε) per row. */
export function layerNormalize(
  x: usize,
  output: usize,
  inverseDeviation: usize,
  rows: i32,
  width: i32,
  epsilon: f32,
): void {
  for (let i = 0; i < rows; i++) {
    const at = <usize>i * width * sizeof<f32>();
    const mean = rowSum(x + at, width) / <f32>width;
    affineRow(x + at, 1, -mean, output + at, width);
    const variance = rowDot(output + at, output + at, width) / <f32>width;
    const inverse: f32 = 1 / sqrt<f32>(variance + epsilon);
    affineRow(output + at, inverse, 0, output + at, width);
    store<f32>(inverseDeviation + i * sizeof<f32>(), inverse);
  }
}

/** dx = (dy − mean(dy) − y mean(dy y)) · inverseDeviation */
export function layerNormalizeGradient(
  dOutput: usize,
  output: usize,
  inverseDeviation: usize,
  dX: usize,
  rows: i32,
  width: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const at = <usize>i * width * sizeof<f32>();
    let d = dOutput + at;
    let y = output + at;
    let out = dX + at;
    const mean = f32x4.splat(rowSum(d, width) / <f32>width);
    const along = f32x4.splat(rowDot(d, y, width) / <f32>width);
    const inverse = f32x4.splat(load<f32>(inverseDeviation + i * sizeof<f32>()));
    const end = d + (width & ~3) * sizeof<f32>();
    for (; d < end; d += 16) {
      const centred = f32x4.sub(v128.load(d), mean);
      v128.store(out, f32x4.mul(f32x4.sub(centred, f32x4.mul(v128.load(y), along)), inverse));
      y += 16;
      out += 16;
    }
    const left = width & 3;
    if (left > 0) {
      const centred = f32x4.sub(loadEnd(d, left, 0), mean);
      storeEnd(out, f32x4.mul(f32x4.sub(centred, f32x4.mul(loadEnd(y, left, 0), along)), inverse), left);
    }
  }
}

function rowSum(x: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) sum = f32x4.add(sum, v128.load(x));
  const left = n & 3;
  if (left > 0) sum = f32x4.add(sum, loadEnd(x, left, 0));
  return sumLanes(sum);
}

/** out = x · factor + offset */
function affineRow(x: usize, factor: f32, offset: f32, out: usize, n: i32): void {
  const by = f32x4.splat(factor);
  const shift = f32x4.splat(offset);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    v128.store(out, f32x4.add(f32x4.mul(v128.load(x), by), shift));
    out += 16;
  }
  const left = n & 3;
  if (left > 0) storeEnd(out, f32x4.add(f32x4.mul(loadEnd(x, left, 0), by), shift), left);
}
