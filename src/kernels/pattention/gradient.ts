import { tf } from '#src/engine';
import { besideTape } from '../tape.js';
import { findNormActivation, type NormActivation } from './normActivations.js';
import { type PattentionSettings, parameterWeights } from './reference.js';

/**
 * dA from dS, the gradient through Θ: the entry's own, or else `weights` differentiated by TensorFlow.js.
 *
 * @param dWeights dS, [tokens, numParamTokens]
 * @param scores A, [tokens, numParamTokens]
 * @returns [tokens, numParamTokens]
 */
export function parameterWeightsGradient(
  dWeights: tf.Tensor,
  scores: tf.Tensor,
  settings: PattentionSettings,
): tf.Tensor {
  const entry = findNormActivation(settings.normActivation);
  return tf.tidy(() =>
    entry.gradient ? entry.gradient(dWeights, scores, settings) : differentiated(entry, dWeights, scores, settings),
  );
}

function differentiated(
  entry: NormActivation,
  dWeights: tf.Tensor,
  scores: tf.Tensor,
  settings: PattentionSettings,
): tf.Tensor {
  try {
    return besideTape(() => tf.grad((a) => entry.weights(a, settings))(scores, dWeights));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `norm activation '${entry.name}': expected weights that TensorFlow.js can differentiate, or a gradient: ${why}`,
    );
  }
}

/**
 * Gradients of Y = Θ(X Kᵀ) V from dY: dV = Sᵀ dY, dS = dY Vᵀ, dK = dAᵀ X, dX = dA K.
 * Only the wanted ones are computed, in the order dX, dK, dV.
 */
export function pattentionGradient(
  dOutput: tf.Tensor,
  [x, keyParamTokens, valueParamTokens, scores]: readonly tf.Tensor[],
  settings: PattentionSettings,
  want: { input: boolean; params: boolean },
): tf.Tensor[] {
  return tf.tidy(() => {
    const dWeights = tf.matMul(dOutput, valueParamTokens, false, true); // [tokens, numParamTokens]
    const dScores = parameterWeightsGradient(dWeights, scores, settings); // [tokens, numParamTokens]
    const gradients: tf.Tensor[] = [];
    if (want.input) gradients.push(tf.matMul(dScores, keyParamTokens)); // [tokens, dIn]
    if (want.params) {
      gradients.push(tf.matMul(dScores, x, true, false)); // [numParamTokens, dIn]
      gradients.push(tf.matMul(parameterWeights(scores, settings), dOutput, true, false)); // [numParamTokens, dOut]
    }
    return gradients;
  });
}
