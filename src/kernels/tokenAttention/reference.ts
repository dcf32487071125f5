import { tf } from '#src/engine';

/** Which keys a query sees, and how the widths split into heads. */
export interface TokenAttentionSettings {
  readonly numHeads: number;
  /**
   * Query i stands at position p = keyLen − queryLen + i and sees key j when j ≤ p or j < prefixLen:
   *
   *     prefixLen 0, causal    prefixLen 2, prefix-LM    prefixLen = keyLen, full
   *       1 0 0 0                1 1 0 0                   1 1 1 1
   *       1 1 0 0                1 1 0 0                   1 1 1 1
   *       1 1 1 0                1 1 1 0                   1 1 1 1
   *       1 1 1 1                1 1 1 1                   1 1 1 1
   */
  readonly prefixLen: number;
  /** The first `contextLen` keys are another stream (image tokens); 0 when there is none. */
  readonly contextLen: number;
}

/** Scores of hidden keys; finite, so that a row with every key hidden stays a number. */
const HIDDEN = -1e9;

/** [queryLen, keyLen], 1 where a query sees a key. */
export function visibilityMask(queryLen: number, keyLen: number, prefixLen: number): Float32Array {
  const mask = new Float32Array(queryLen * keyLen);
  for (let i = 0; i < queryLen; i++) {
    const last = Math.max(keyLen - queryLen + i, prefixLen - 1);
    mask.fill(1, i * keyLen, i * keyLen + Math.min(last + 1, keyLen));
  }
  return mask;
}

/**
 * The definition of token-token attention in plain operations: softmax(q kᵀ / √headDim + mask) v, per head.
 *
 * @param q [batch, queryLen, numHeads · headDim]
 * @param k [batch, keyLen, numHeads · headDim]
 * @param v [batch, keyLen, numHeads · headDim]
 * @param keyMask [batch, keyLen], 1 = attend, 0 = padding
 * @returns output [batch, queryLen, numHeads · headDim], or [2, …] with the part that came from the context second;
 *   and the probabilities [batch, numHeads, queryLen, keyLen]
 */
export function tokenAttentionReference(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  keyMask: tf.Tensor2D | undefined,
  settings: TokenAttentionSettings,
): { output: tf.Tensor; probabilities: tf.Tensor4D } {
  const { numHeads, prefixLen, contextLen } = settings;
  const queryLen = q.shape[1];
  const keyLen = k.shape[1];
  const headDim = q.shape[2] / numHeads;
  const scores = tf.mul(
    tf.matMul(splitHeads(q, numHeads), splitHeads(k, numHeads), false, true),
    1 / Math.sqrt(headDim),
  );
  const visible = tf.tensor2d(visibilityMask(queryLen, keyLen, prefixLen), [queryLen, keyLen]);
  let hidden: tf.Tensor = tf.mul(tf.sub(1, visible), HIDDEN); // [queryLen, keyLen]
  if (keyMask) {
    const padding = tf.mul(tf.sub(1, keyMask), HIDDEN); // [batch, keyLen]
    hidden = tf.add(hidden, tf.reshape(padding, [keyMask.shape[0], 1, 1, keyLen])); // [batch, 1, queryLen, keyLen]
  }
  const probabilities = tf.softmax(tf.add(scores, hidden)) as tf.Tensor4D; // [batch, numHeads, queryLen, keyLen]
  const values = splitHeads(v, numHeads);
  const whole = mergeHeads(tf.matMul(probabilities, values) as tf.Tensor4D); // [batch, queryLen, dModel]
  if (contextLen === 0) return { output: whole, probabilities };
  const fromContext = mergeHeads(
    tf.matMul(
      tf.slice(probabilities, [0, 0, 0, 0], [-1, -1, -1, contextLen]),
      tf.slice(values, [0, 0, 0, 0], [-1, -1, contextLen, -1]),
    ) as tf.Tensor4D,
  );
  return { output: tf.stack([whole, fromContext]), probabilities };
}

/** [batch, len, numHeads · headDim] → [batch, numHeads, len, headDim] */
export function splitHeads(x: tf.Tensor3D, numHeads: number): tf.Tensor4D {
  const [batch, len, width] = x.shape;
  return tf.transpose(tf.reshape(x, [batch, len, numHeads, width / numHeads]), [0, 2, 1, 3]);
}

/** [batch, numHeads, len, headDim] → [batch, len, numHeads · headDim] */
export function mergeHeads(x: tf.Tensor4D): tf.Tensor3D {
  const [batch, numHeads, len, headDim] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, len, numHeads * headDim]);
}
