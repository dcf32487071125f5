import { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';

/** Settings of one AdamW step on one parameter. */
export interface AdamWStepSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled: the parameter shrinks by learningRate · weightDecay. */
  readonly weightDecay: number;
  /** Counts from 1. */
  readonly step: number;
  /** Multiplies the gradient first: the factor of global-norm clipping. */
  readonly gradientScale: number;
}

/**
 * One AdamW step; returns new tensors and leaves its arguments alone. With g the scaled gradient:
 *
 *   m' = β₁ m + (1−β₁) g,  v' = β₂ v + (1−β₂) g²,
 *   p' = p (1 − lr·wd) − lr · (m'/(1−β₁^t)) / (√(v'/(1−β₂^t)) + ε)
 *
 * Source: Loshchilov & Hutter, arXiv 1711.05101, algorithm 2, in PyTorch's order of operations. Kernel: `AdamWStep`.
 */
export function adamWStep(
  param: tf.Tensor,
  gradient: tf.Tensor,
  m: tf.Tensor,
  v: tf.Tensor,
  settings: AdamWStepSettings,
): { param: tf.Tensor; m: tf.Tensor; v: tf.Tensor } {
  const fast = runFastKernel('AdamWStep', { param, gradient, m, v }, settings);
  if (fast) return { param: fast[0], m: fast[1], v: fast[2] };
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = settings;
  const [newParam, newM, newV] = tf.tidy(() => {
    const g = tf.mul(gradient, gradientScale);
    const nextM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
    const nextV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
    const denominator = tf.add(tf.sqrt(tf.div(nextV, 1 - beta2 ** step)), epsilon);
    const change = tf.mul(tf.div(nextM, denominator), learningRate / (1 - beta1 ** step));
    return [tf.sub(tf.mul(param, 1 - learningRate * weightDecay), change), nextM, nextV];
  });
  return { param: newParam, m: newM, v: newV };
}
