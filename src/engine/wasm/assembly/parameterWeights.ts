/** @file Θ, the weights of a Pattention, and its gradient, one row of scores at a time. */
import { distribution4, geluSlope4 } from './gelu';
import { rowDot, rowExp, rowMax, rowScale } from './softmaxRow';
import { loadEnd, storeEnd, sumLanes } from './vectorMath';

/** Numbers of the `normActivation` modes, as the engine passes them. */
export const L2_NORM_GELU: i32 = 0;
export const GELU_L2_NORM: i32 = 1;

/** s = Θ(a), rows of n; a row of zero norm gives zeros. */
export function weightsRow(a: usize, s: usize, n: i32, mode: i32, tanhForm: bool, epsilon: f32, tau: f32): void {
  if (mode == L2_NORM_GELU) {
    geluRow(a, s, n, inverse(tau, sqrt(rowDot(a, a, n)) + epsilon), tanhForm);
  } else if (mode == GELU_L2_NORM) {
    geluRow(a, s, n, 1, tanhForm);
    rowScale(s, n, inverse(tau, sqrt(rowDot(s, s, n)) + epsilon));
  } else {
    rowScale(s, n, tau / rowExp(a, s, n, rowMax(a, n)));
  }
}

/** s = Θ(a) and, in place, d: the gradient of s → the gradient of a. */
export function weightsGradientRow(
  a: usize,
  s: usize,
  d: usize,
  n: i32,
  mode: i32,
  tanhForm: bool,
  epsilon: f32,
  tau: f32,
): void {
  if (mode == L2_NORM_GELU) {
    const norm = sqrt(rowDot(a, a, n));
    const q = norm + epsilon;
    const scale = inverse(tau, q);
    const along = inverse(scale * geluGradientRow(a, s, d, n, scale, tanhForm), q * norm);
    differenceRow(d, scale, a, along, d, n);
  } else if (mode == GELU_L2_NORM) {
    geluRow(a, s, n, 1, tanhForm);
    const norm = sqrt(rowDot(s, s, n));
    const q = norm + epsilon;
    const scale = inverse(tau, q);
    const along = inverse(scale * rowDot(s, d, n), q * norm);
    differenceRow(d, scale, s, along, d, n);
    rowScale(s, n, scale);
    slopeRow(a, d, n, tanhForm);
  } else {
    rowScale(s, n, 1 / rowExp(a, s, n, rowMax(a, n)));
    const mean = rowDot(s, d, n);
    softmaxGradientRow(s, d, n, mean, tau);
  }
}

/** x / y, and 0 where y is 0. */
function inverse(x: f32, y: f32): f32 {
  return y == 0 ? 0 : x / y;
}

/** s = GELU(scale · a) */
function geluRow(a: usize, s: usize, n: i32, scale: f32, tanhForm: bool): void {
  const by = f32x4.splat(scale);
  const end = a + (n & ~3) * sizeof<f32>();
  for (; a < end; a += 16) {
    const z = f32x4.mul(v128.load(a), by);
    v128.store(s, f32x4.mul(z, distribution4(z, tanhForm)));
    s += 16;
  }
  const left = n & 3;
  if (left > 0) {
    const z = f32x4.mul(loadEnd(a, left, 0), by);
    storeEnd(s, f32x4.mul(z, distribution4(z, tanhForm)), left);
  }
}

/** With z = scale · a: s = GELU(z), d *= GELU'(z); returns <a, d>. */
function geluGradientRow(a: usize, s: usize, d: usize, n: i32, scale: f32, tanhForm: bool): f32 {
  const by = f32x4.splat(scale);
  let sum = f32x4.splat(0);
  const end = a + (n & ~3) * sizeof<f32>();
  for (; a < end; a += 16) {
    const x = v128.load(a);
    const z = f32x4.mul(x, by);
    const distribution = distribution4(z, tanhForm);
    const dz = f32x4.mul(v128.load(d), geluSlope4(z, distribution, tanhForm));
    sum = f32x4.add(sum, f32x4.mul(x, dz));
    v128.store(s, f32x4.mul(z, distribution));
    v128.store(d, dz);
    s += 16;
    d += 16;
  }
  const left = n & 3;
  if (left > 0) {
    const x = loadEnd(a, left, 0);
    const z = f32x4.mul(x, by);
    const distribution = distribution4(z, tanhForm);
    const dz = f32x4.mul(loadEnd(d, left, 0), geluSlope4(z, distribution, tanhForm));
    sum = f32x4.add(sum, f32x4.mul(x, dz));
    storeEnd(s, f32x4.mul(z, distribution), left);
    storeEnd(d, dz, left);
  }
  return sumLanes(sum);
}

/** d *= GELU'(a) */
function slopeRow(a: usize, d: usize, n: i32, tanhForm: bool): void {
  const end = a + (n & ~3) * sizeof<f32>();
  for (; a < end; a += 16) {
    const z = v128.load(a);
    v128.store(d, f32x4.mul(v128.load(d), geluSlope4(z, distribution4(z, tanhForm), tanhForm)));
    d += 16;
  }
  const left = n & 3;
  if (left > 0) {
    const z = loadEnd(a, left, 0);
    storeEnd(d, f32x4.mul(loadEnd(d, left, 0), geluSlope4(z, distribution4(z, tanhForm), tanhForm)), left);
  }
}

/** out = alpha x − beta y */
function differenceRow(x: usize, alpha: f32, y: usize, beta: f32, out: usize, n: i32): void {
  const a = f32x4.splat(alpha);
  const b = f32x4.splat(beta);
  const end = x + (n & ~3) * sizeof<f32>();
  for (; x < end; x += 16) {
    v128.store(out, f32x4.sub(f32x4.mul(a, v128.load(x)), f32x4.mul(b, v128.load(y))));
    y += 16;
    out += 16;
  }
  const left = n & 3;
  if (left > 0) {
    storeEnd(out, f32x4.sub(f32x4.mul(a, loadEnd(x, left, 0)), f32x4.mul(b, loadEnd(y, left, 0))), left);
  }
}

/** From probabilities p in s: d = tau p (d − mean), s = tau p. */
function softmaxGradientRow(s: usize, d: usize, n: i32, mean: f32, tau: f32): void {
  const by = f32x4.splat(tau);
  const shift = f32x4.splat(mean);
  const end = s + (n & ~3) * sizeof<f32>();
  for (; s < end; s += 16) {
    const weight = f32x4.mul(v128.load(s), by);
    v128.store(s, weight);
    v128.store(d, f32x4.mul(weight, f32x4.sub(v128.load(d), shift)));
    d += 16;
  }
  const left = n & 3;
  if (left > 0) {
    const weight = f32x4.mul(loadEnd(s, left, 0), by);
    storeEnd(s, weight, left);
    storeEnd(d, f32x4.mul(weight, f32x4.sub(loadEnd(d, left, 0), shift)), left);
  }
}
