/** @file Weighted cross-entropy per row of logits, and its gradient, without storing probabilities. */
import { logarithm, rowExp, rowMax } from './softmaxRow';
import { exp4, loadEnd, storeEnd } from './vectorMath';

/**
 * losses = weights (log Σ exp z − z[label]) and logSumExp, both [rows]. A label outside [0, classes) costs nothing.
 *
 * @param logits z, [rows, classes]
 * @param labels [rows], int32
 */
export function softmaxCrossEntropy(
  logits: usize,
  labels: usize,
  weights: usize,
  losses: usize,
  logSumExp: usize,
  rows: i32,
  classes: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const z = logits + <usize>i * classes * sizeof<f32>();
    const at = i * sizeof<f32>();
    const largest = rowMax(z, classes);
    const log = logarithm(rowExp(z, 0, classes, largest));
    const label = load<i32>(labels + at);
    const picked: f32 = <u32>label < <u32>classes ? log - (load<f32>(z + label * sizeof<f32>()) - largest) : 0;
    store<f32>(losses + at, load<f32>(weights + at) * picked);
    store<f32>(logSumExp + at, largest + log);
  }
}

/** dLogits = weights · dLosses (exp(z − logSumExp) − onehot) */
export function softmaxCrossEntropyGradient(
  dLosses: usize,
  logits: usize,
  labels: usize,
  weights: usize,
  logSumExp: usize,
  dLogits: usize,
  rows: i32,
  classes: i32,
): void {
  const whole = classes & ~3;
  for (let i = 0; i < rows; i++) {
    const at = i * sizeof<f32>();
    const factor = load<f32>(weights + at) * load<f32>(dLosses + at);
    const by = f32x4.splat(factor);
    const shift = f32x4.splat(load<f32>(logSumExp + at));
    const z = logits + <usize>i * classes * sizeof<f32>();
    const out = dLogits + <usize>i * classes * sizeof<f32>();
    for (let j: usize = 0; j < <usize>whole * sizeof<f32>(); j += 16) {
      v128.store(out + j, f32x4.mul(exp4(f32x4.sub(v128.load(z + j), shift)), by));
    }
    if (whole < classes) {
      const j = <usize>whole * sizeof<f32>();
      const left = classes - whole;
      storeEnd(out + j, f32x4.mul(exp4(f32x4.sub(loadEnd(z + j, left, 0), shift)), by), left);
    }
    const label = load<i32>(labels + at);
    if (<u32>label < <u32>classes) {
      const place = out + label * sizeof<f32>();
      store<f32>(place, load<f32>(place) - factor);
    }
  }
}
