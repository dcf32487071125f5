import { tf } from '#src/engine';
import { mergeHeads, splitHeads, type TokenAttentionSettings } from './reference.js';

/**
 * Gradients of O = P V, P = softmax(Q Kᵀ/√h + mask), with C = P V restricted to context keys:
 *
 *   dV = Pᵀ dO (+ Pᵀ dC on context keys),  dP = dO Vᵀ (+ dC Vᵀ on context keys),
 *   dA = P (dP − <P, dP>),  dQ = dA K/√h,  dK = dAᵀ Q/√h
 */
export function tokenAttentionGradient(
  dOutput: tf.Tensor,
  [q, k, v, probabilities]: readonly tf.Tensor[],
  { numHeads, contextLen }: TokenAttentionSettings,
): tf.Tensor[] {
  return tf.tidy(() => {
    const p = probabilities as tf.Tensor4D; // [batch, numHeads, queryLen, keyLen]
    const [queries, keys, values] = [q, k, v].map((t) => splitHeads(t as tf.Tensor3D, numHeads));
    const parts = contextLen === 0 ? [dOutput] : tf.unstack(dOutput);
    const dWhole = splitHeads(parts[0] as tf.Tensor3D, numHeads); // [batch, numHeads, queryLen, headDim]
    let dValues = tf.matMul(p, dWhole, true, false);
    let dP = tf.matMul(dWhole, values, false, true); // [batch, numHeads, queryLen, keyLen]
    if (contextLen > 0) {
      const rest = p.shape[3] - contextLen;
      const dContext = splitHeads(parts[1] as tf.Tensor3D, numHeads);
      const pContext = tf.slice(p, [0, 0, 0, 0], [-1, -1, -1, contextLen]);
      const vContext = tf.slice(values, [0, 0, 0, 0], [-1, -1, contextLen, -1]);
      const none: [number, number] = [0, 0];
      dValues = tf.add(dValues, tf.pad(tf.matMul(pContext, dContext, true, false), [none, none, [0, rest], none]));
      dP = tf.add(dP, tf.pad(tf.matMul(dContext, vContext, false, true), [none, none, none, [0, rest]]));
    }
    const dScores = tf.mul(tf.mul(p, tf.sub(dP, tf.sum(tf.mul(p, dP), -1, true))), 1 / Math.sqrt(queries.shape[3]));
    const dQueries = tf.matMul(dScores, keys); // [batch, numHeads, queryLen, headDim]
    const dKeys = tf.matMul(dScores, queries, true, false); // [batch, numHeads, keyLen, headDim]
    return [dQueries, dKeys, dValues].map((t) => mergeHeads(t as tf.Tensor4D));
  });
}
