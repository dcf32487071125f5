import { tf } from '#src/engine';
import { findNormActivation, type NormActivationSettings } from './normActivations.js';

/** How the scores of one group of parameter tokens become weights. */
export interface PattentionSettings extends NormActivationSettings {
  /** A name of `normActivationNames`, or `linear`. */
  readonly normActivation: string;
}

/**
 * S = Θ(A), the row-wise weights of a Pattention, as `normActivations.ts` defines them.
 *
 * @param scores A, [tokens, numParamTokens]
 * @returns [tokens, numParamTokens]
 * @throws ConfigError for an unknown `normActivation`
 */
export function parameterWeights(scores: tf.Tensor, settings: PattentionSettings): tf.Tensor {
  const entry = findNormActivation(settings.normActivation);
  return tf.tidy(() => entry.weights(scores, settings));
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
