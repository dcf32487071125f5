/**
 * @file Elementary functions on four numbers at once, and what a row's end and sum need.
 *
 * Coefficients are minimax fits in relative error (Lawson's iteration on a Chebyshev grid); the errors given were
 * measured in float32 against double precision. NaN goes in, NaN comes out: a diverging run must be seen.
 */

/** Index of the constant that rounds to an integer when added: 1.5 · 2²³. */
const ROUNDING: f32 = 12582912;
const LOG2_E: f32 = 1.44269504;
/** ln 2 in two parts; the first has 9 bits, so n times it is exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;

@inline
function step(sum: v128, x: v128, coefficient: f32): v128 {
  return f32x4.add(f32x4.mul(sum, x), f32x4.splat(coefficient));
}

/** At least `low`; the argument order keeps NaN. */
@inline
function atLeast(x: v128, low: f32): v128 {
  return f32x4.pmax(x, f32x4.splat(low));
}

@inline
function atMost(x: v128, high: f32): v128 {
  return f32x4.pmin(x, f32x4.splat(high));
}

/** eˣ, relative error ≤ 2e-7; 0 below −87, Infinity above 88.73. */
@inline
export function exp4(value: v128): v128 {
  const x = atMost(atLeast(value, -87.3), 89);
  const shifted = step(x, f32x4.splat(LOG2_E), ROUNDING); // its low bits hold n = round(x / ln 2)
  const n = f32x4.sub(shifted, f32x4.splat(ROUNDING));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let p = f32x4.splat(0.0013814539415761828);
  p = step(p, r, 0.00836874544620514);
  p = step(p, r, 0.04166838899254799);
  p = step(p, r, 0.1666652113199234);
  p = step(p, r, 0.4999999403953552);
  p = step(p, r, 1);
  p = step(p, r, 1);
  // 2ⁿ⁻¹, then doubled: 2ⁿ itself is out of range for the largest n, and the smallest gives 0.
  const scale = i32x4.shl(i32x4.add(shifted, i32x4.splat(126)), 23);
  const half = f32x4.mul(p, scale);
  return f32x4.add(half, half);
}

/** erf(x), absolute and relative error ≤ 4e-7: x P(x²)/Q(x²) up to 3.92, where it is 1 in float32. */
@inline
export function erf4(value: v128): v128 {
  const x = atMost(atLeast(value, -3.92), 3.92);
  const t = f32x4.mul(x, x);
  let p = f32x4.splat(2.050084958682419e-6);
  p = step(p, t, 0.00028488386305980384);
  p = step(p, t, 0.003765653818845749);
  p = step(p, t, 0.05274883657693863);
  p = step(p, t, 0.19040727615356445);
  p = step(p, t, 1.1283791065216064);
  let q = f32x4.splat(3.809174813795835e-5);
  q = step(q, t, 0.0011625450570136309);
  q = step(q, t, 0.014969289302825928);
  q = step(q, t, 0.11410945653915405);
  q = step(q, t, 0.5020768046379089);
  q = step(q, t, 1);
  return atMost(atLeast(f32x4.div(f32x4.mul(x, p), q), -1), 1);
}

/** tanh(x), absolute and relative error ≤ 4e-7: x P(x²)/Q(x²) up to 9, where it is 1 in float32. */
@inline
export function tanh4(value: v128): v128 {
  const x = atMost(atLeast(value, -9), 9);
  const t = f32x4.mul(x, x);
  let p = f32x4.splat(1.3354653383146342e-8);
  p = step(p, t, 2.060907536360901e-5);
  p = step(p, t, 0.0034955875016748905);
  p = step(p, t, 0.13381025195121765);
  p = step(p, t, 1);
  let q = f32x4.splat(7.776554298288829e-7);
  q = step(q, t, 0.000328563415678218);
  q = step(q, t, 0.025876980274915695);
  q = step(q, t, 0.4671434164047241);
  q = step(q, t, 1);
  return atMost(atLeast(f32x4.div(f32x4.mul(x, p), q), -1), 1);
}

/** The sum of the four lanes. */
@inline
export function sumLanes(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The largest of the four lanes. */
@inline
export function maxLane(x: v128): f32 {
  const pairs = f32x4.max(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** The first `count` (1 to 3) numbers at `from`; `rest` in the other lanes. */
export function loadEnd(from: usize, count: i32, rest: f32): v128 {
  let x = v128.load_lane<f32>(from, f32x4.splat(rest), 0);
  if (count > 1) x = v128.load_lane<f32>(from, x, 1, 4);
  if (count > 2) x = v128.load_lane<f32>(from, x, 2, 8);
  return x;
}

/** Stores the first `count` (1 to 3) lanes. */
export function storeEnd(to: usize, x: v128, count: i32): void {
  v128.store_lane<f32>(to, x, 0);
  if (count > 1) v128.store_lane<f32>(to, x, 1, 4);
  if (count > 2) v128.store_lane<f32>(to, x, 2, 8);
}
