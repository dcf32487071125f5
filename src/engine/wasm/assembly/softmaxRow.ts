/** @file Softmax along one row, in place or not. */
import { exp4, loadEnd, maxLane, storeEnd, sumLanes } from './vectorMath';

/** The largest of x[0..n), n ≥ 1; NaN is passed over (`pmax` is one instruction, `max` eight) and shows in the sum. */
export function rowMax(x: usize, n: i32): f32 {
  let largest = f32x4.splat(-Infinity);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) largest = f32x4.pmax(largest, v128.load(x));
  const left = n & 3;
  if (left > 0) largest = f32x4.pmax(largest, loadEnd(x, left, -Infinity));
  return maxLane(largest);
}

/** Σ exp(x − shift); with `out` not 0 the terms are stored there, and `out` may be `x`. */
export function rowExp(x: usize, out: usize, n: i32, shift: f32): f32 {
  const by = f32x4.splat(shift);
  let sum = f32x4.splat(0);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    const term = exp4(f32x4.sub(v128.load(x), by));
    sum = f32x4.add(sum, term);
    if (out != 0) {
      v128.store(out, term);
      out += 16;
    }
  }
  const left = n & 3;
  if (left > 0) {
    const term = exp4(f32x4.sub(loadEnd(x, left, -Infinity), by));
    sum = f32x4.add(sum, term);
    if (out != 0) storeEnd(out, term, left);
  }
  return sumLanes(sum);
}

/** x[0..n) *= factor */
export function rowScale(x: usize, n: i32, factor: f32): void {
  const by = f32x4.splat(factor);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) v128.store(x, f32x4.mul(v128.load(x), by));
  const left = n & 3;
  if (left > 0) storeEnd(x, f32x4.mul(loadEnd(x, left, 0), by), left);
}

/** Σ x y over [0..n) */
export function rowDot(x: usize, y: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(x), v128.load(y)));
    y += 16;
  }
  const left = n & 3;
  if (left > 0) sum = f32x4.add(sum, f32x4.mul(loadEnd(x, left, 0), loadEnd(y, left, 0)));
  return sumLanes(sum);
}

/** ln x for a positive finite x, to double precision: the exponent, and 2 artanh((m − 1)/(m + 1)) of the mantissa. */
export function logarithm(x: f32): f32 {
  const bits = reinterpret<u64>(<f64>x);
  let exponent = <i32>(bits >> 52) - 1023;
  let mantissa = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    exponent++;
  }
  const s = (mantissa - 1) / (mantissa + 1); // |s| ≤ 0.172
  const t = s * s;
  const series = 1 + t * (1.0 / 3 + t * (1.0 / 5 + t * (1.0 / 7 + t * (1.0 / 9 + t * (1.0 / 11 + t * (1.0 / 13))))));
  return <f32>(exponent * 0.6931471805599453 + 2 * s * series);
}
