import { tf } from '#src/engine';
import { runFastKernel } from '../fastKernel.js';
import { expectPattentionShapes } from './pattention.js';
import { type PattentionSettings, parameterWeights } from './reference.js';

/**
 * The weights with all but the strongest of each row set to 0: those stay whose magnitude is at least the k-th largest, so
 * equal ones stay together.
 *
 * @param weights S, [tokens, numParamTokens]
 * @param strongest k, at least 1; from numParamTokens on all stay
 * @returns [tokens, numParamTokens]
 */
export function strongestWeights(weights: tf.Tensor, strongest: number): tf.Tensor {
  if (strongest >= (weights.shape.at(-1) as number)) return weights;
  return tf.tidy(() => {
    const magnitudes = tf.abs(weights);
    const least = tf.slice(tf.topk(magnitudes, strongest).values, [0, strongest - 1], [-1, 1]); // [tokens, 1]
    // A product and not a choice: NaN must stay visible.
    return tf.mul(weights, tf.cast(tf.greaterEqual(magnitudes, least), 'float32'));
  });
}

/**
 * Token-parameter attention in which each token uses only the parameter tokens of its largest weights:
 *
 *   Y = top_k(Θ(X Kᵀ)) V,   top_k by |Θ|, row by row
 *
 * Θ sees all scores, so its norm and τ are those of `pattention`, which is the result for k = numParamTokens. For inference.
 * Kernel: `SparsePattention`.
 *
 * @param x [tokens, dIn]
 * @param keyParamTokens [numParamTokens, dIn]
 * @param valueParamTokens [numParamTokens, dOut]
 * @param strongest k, from 1 to numParamTokens
 * @returns [tokens, dOut]
 * @throws Error when dIn or numParamTokens disagree, for a k out of range, and inside a gradient
 */
export function sparsePattention(
  x: tf.Tensor2D,
  keyParamTokens: tf.Tensor2D,
  valueParamTokens: tf.Tensor2D,
  settings: PattentionSettings,
  strongest: number,
): tf.Tensor2D {
  expectPattentionShapes(x, keyParamTokens, valueParamTokens);
  const [numParamTokens] = keyParamTokens.shape;
  if (!Number.isInteger(strongest) || strongest < 1 || strongest > numParamTokens) {
    throw new Error(
      `sparsePattention: expected 1 to ${numParamTokens} parameter tokens for each token, got ${strongest}`,
    );
  }
  refuseGradient('sparsePattention');
  return tf.tidy(() => {
    const fast = runFastKernel('SparsePattention', { x, keyParamTokens, valueParamTokens }, { ...settings, strongest });
    if (fast) return fast[0] as tf.Tensor2D;
    const scores = tf.matMul(x, keyParamTokens, false, true); // [tokens, numParamTokens]
    const weights = strongestWeights(parameterWeights(scores, settings), strongest); // [tokens, numParamTokens]
    return tf.matMul(weights, valueParamTokens) as tf.Tensor2D; // [tokens, dOut]
  });
}

/** Throws inside a gradient: what was left out would get none. */
export function refuseGradient(operation: string): void {
  if (tf.engine().state.gradientDepth === 0) return;
  throw new Error(`${operation}: expected inference, got a gradient; train with all parameter tokens`);
}
