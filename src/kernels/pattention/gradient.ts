import { tf } from '#src/engine';
import { gelu, geluDerivative } from '../gelu.js';
import { type PattentionSettings, parameterWeights } from './reference.js';

/**
 * dA from dS, the gradient through Θ, with S = Θ(A), q = ‖A‖ + ε, <·,·> along a row:
 *
 *   l2NormGelu   dZ = dS g'(Z), Z = τ A/q         dA = τ/q dZ − τ A <A, dZ> / (q² ‖A‖)
 *   geluL2Norm   the same with G = GELU(A) for A   dA = dG g'(A)
 *   softmax      p = softmax(A)                    dA = τ p (dS − <p, dS>)
 */
export function parameterWeightsGradient(
  dWeights: tf.Tensor,
  scores: tf.Tensor,
  settings: PattentionSettings,
): tf.Tensor {
  const { normActivation, epsilon, tau, gelu: kind } = settings;
  return tf.tidy(() => {
    const rowSum = (t: tf.Tensor): tf.Tensor => tf.sum(t, -1, true); // [tokens, 1]
    if (normActivation === 'softmax') {
      const p = tf.softmax(scores);
      return tf.mul(tf.mul(p, tf.sub(dWeights, rowSum(tf.mul(p, dWeights)))), tau);
    }
    const a = normActivation === 'geluL2Norm' ? gelu(scores, kind) : scores;
    const norm = tf.sqrt(rowSum(tf.square(a)));
    const q = tf.add(norm, epsilon);
    const scale = tf.divNoNan(tf.scalar(tau), q);
    const dScaled =
      normActivation === 'geluL2Norm' ? dWeights : tf.mul(dWeights, geluDerivative(tf.mul(a, scale), kind));
    const along = tf.divNoNan(tf.mul(scale, rowSum(tf.mul(a, dScaled))), tf.mul(q, norm));
    const da = tf.sub(tf.mul(scale, dScaled), tf.mul(a, along));
    return normActivation === 'geluL2Norm' ? tf.mul(da, geluDerivative(scores, kind)) : da;
  });
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
