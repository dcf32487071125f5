/** @file One AdamW step on one parameter, in one pass. */
import { loadEnd, storeEnd } from './vectorMath';

/**
 * With g = gradientScale · gradient:
 *
 *   newM = β₁ m + (1−β₁) g,  newV = β₂ v + (1−β₂) g²,
 *   newParam = decay · param − rate · newM / (√(newV / correction) + ε)
 *
 * @param decay 1 − learningRate · weightDecay
 * @param rate learningRate / (1 − β₁ᵗ)
 * @param correction 1 − β₂ᵗ
 */
export function adamWStep(
  param: usize,
  gradient: usize,
  m: usize,
  v: usize,
  newParam: usize,
  newM: usize,
  newV: usize,
  count: i32,
  gradientScale: f32,
  beta1: f32,
  restOfBeta1: f32,
  beta2: f32,
  restOfBeta2: f32,
  decay: f32,
  rate: f32,
  correction: f32,
  epsilon: f32,
): void {
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i * sizeof<f32>();
    const left = count - i;
    const whole = left >= 4;
    const g = f32x4.mul(whole ? v128.load(gradient + at) : loadEnd(gradient + at, left, 0), f32x4.splat(gradientScale));
    const oldM = whole ? v128.load(m + at) : loadEnd(m + at, left, 0);
    const oldV = whole ? v128.load(v + at) : loadEnd(v + at, left, 0);
    const oldParam = whole ? v128.load(param + at) : loadEnd(param + at, left, 0);
    const nextM = f32x4.add(f32x4.mul(oldM, f32x4.splat(beta1)), f32x4.mul(g, f32x4.splat(restOfBeta1)));
    const square = f32x4.mul(g, g);
    const nextV = f32x4.add(f32x4.mul(oldV, f32x4.splat(beta2)), f32x4.mul(square, f32x4.splat(restOfBeta2)));
    const deviation = f32x4.sqrt(f32x4.div(nextV, f32x4.splat(correction)));
    const change = f32x4.div(nextM, f32x4.add(deviation, f32x4.splat(epsilon)));
    const next = f32x4.sub(f32x4.mul(oldParam, f32x4.splat(decay)), f32x4.mul(change, f32x4.splat(rate)));
    if (whole) {
      v128.store(newParam + at, next);
      v128.store(newM + at, nextM);
      v128.store(newV + at, nextV);
    } else {
      storeEnd(newParam + at, next, left);
      storeEnd(newM + at, nextM, left);
      storeEnd(newV + at, nextV, left);
    }
  }
}
