import { tf } from '#src/engine';
import { type Gelu, gelu } from '../gelu.js';

export type NormActivation = 'l2NormGelu' | 'geluL2Norm' | 'softmax';

/** How the scores of one group of parameter tokens become weights. */
export interface PattentionSettings {
  readonly normActivation: NormActivation;
  readonly gelu: Gelu;
  /** Added to ‖·‖₂; 0 for the official GPU code, 1e-5 for the official TPU code. */
  readonly epsilon: number;
  /** Stored scale τ; √n at creation (n for softmax), never recomputed from n. */
  readonly tau: number;
}

/**
 * Θ, the row-wise weights of a Pattention; a row of zero norm gives zero weights, never NaN.
 *
 *   l2NormGelu   Θ(A) = GELU( τ A / (‖A‖₂ + ε) )
 *   geluL2Norm   Θ(A) = τ G / (‖G‖₂ + ε),  G = GELU(A)
 *   softmax      Θ(A) = τ softmax(A)
 *
 * Source: TokenFormer, arXiv 2410.23168, eq. 4 and 16; megatron/model/tokenformer.py at 4d56c73.
 *
 * @param scores A, [tokens, numParamTokens]
 * @returns [tokens, numParamTokens]
 */
export function parameterWeights(scores: tf.Tensor, settings: PattentionSettings): tf.Tensor {
  const { normActivation, epsilon, tau } = settings;
  return tf.tidy(() => {
    if (normActivation === 'softmax') return tf.mul(tf.softmax(scores), tau);
    const activated = normActivation === 'geluL2Norm' ? gelu(scores, settings.gelu) : scores;
    const norm = tf.add(tf.sqrt(tf.sum(tf.square(activated), -1, true)), epsilon); // [tokens, 1]
    const scaled = tf.mul(activated, tf.divNoNan(tf.scalar(tau), norm));
    return normActivation === 'geluL2Norm' ? scaled : gelu(scaled, settings.gelu);
  });
}

/**
 * The definition of Pattention in plain operations: Y = Θ(X Kᵀ) V.
 *
 * @param x [tokens, dIn]
 * @param keyParamTokens [numParamTokens, dIn]
 * @param valueParamTokens [numParamTokens, dOut]
 * @returns output [tokens, dOut] and scores A [tokens, numParamTokens]
 */
export function pattentionReference(
  x: tf.Tensor,
  keyParamTokens: tf.Tensor,
  valueParamTokens: tf.Tensor,
  settings: PattentionSettings,
): { output: tf.Tensor; scores: tf.Tensor } {
  const scores = tf.matMul(x, keyParamTokens, false, true); // [tokens, numParamTokens]
  const output = tf.matMul(parameterWeights(scores, settings), valueParamTokens); // [tokens, dOut]
  return { output, scores };
}
