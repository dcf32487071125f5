import { tf } from '#src/engine';
import { tokenAttention, tokenAttentionReference } from '#src/kernels';
import type { PattentionLayer } from './pattentionLayer.js';

/** Another stream's tokens, which this block's tokens attend to in the same softmax as their own, or before it. */
export interface AttentionContext {
  /** [batch, contextLen, dModel], projected and without rotary positions. */
  readonly keys: tf.Tensor3D;
  readonly values: tf.Tensor3D;
  /** Groups that read only the context's part of the attention output; silent without a context. */
  readonly outputGroups: PattentionLayer;
  /**
   * g of each head, [numHeads]: text attends to the context in a softmax of its own, and takes tanh(g) of what it reads there.
   * `outputGroups` read it whole.
   */
  readonly gate?: tf.Tensor1D;
  /** An attention of its own instead, in front of the block: x ← x + tanh(gate) P(attention(P(LN x; query), keys, values); outputGroups). */
  readonly separate?: { readonly query: PattentionLayer; readonly gate: tf.Scalar };
}

/** Keys and values of a block's own tokens, and which of them a query sees. */
export interface OwnTokens {
  /** [batch, keyLen, dModel] */
  readonly keys: tf.Tensor3D;
  readonly values: tf.Tensor3D;
  readonly prefixLen: number;
  /** [batch, keyLen] */
  readonly keyMask?: tf.Tensor2D;
}

/** What queries read. */
export interface Attended {
  /** [batch, queryLen, dModel] each: the whole and, with a context, what `outputGroups` read of it. */
  readonly parts: readonly tf.Tensor[];
  /** The weights of context and own tokens, [batch, numHeads, queryLen, contextLen + keyLen]. */
  probabilities(): tf.Tensor4D;
}

/**
 * Attention of a block's queries to its own tokens and to a context before them, in one softmax, or with a gate in two.
 *
 * @param q [batch, queryLen, dModel]
 */
export function attend(
  q: tf.Tensor3D,
  own: OwnTokens,
  context: AttentionContext | undefined,
  numHeads: number,
): Attended {
  if (context?.gate) return gatedAttention(q, own, context, context.gate);
  const { keys, values, prefixLen, keyMask } = own;
  const contextLen = context?.keys.shape[1] ?? 0;
  const allKeys = context ? tf.concat([context.keys, keys], 1) : keys; // [batch, contextLen + keyLen, dModel]
  const allValues = context ? tf.concat([context.values, values], 1) : values;
  const allKeyMask =
    keyMask && context ? (tf.concat([tf.ones([keyMask.shape[0], contextLen]), keyMask], 1) as tf.Tensor2D) : keyMask;
  const settings = { numHeads, prefixLen: contextLen + prefixLen, contextLen };
  const attended = tokenAttention(q, allKeys, allValues, settings, allKeyMask);
  return {
    parts: context ? tf.unstack(attended) : [attended],
    probabilities: () => tokenAttentionReference(q, allKeys, allValues, allKeyMask, settings).probabilities,
  };
}

/**
 * Per head, with A the attention to own tokens and C that to the context:
 *
 *   whole = A + tanh(g) C        the context's part = C
 *
 * At g = 0 the whole is A to the bit, and ∂whole/∂g = C. Source: zero-initialised attention, arXiv 2303.16199.
 *
 * @param gate g, [numHeads]
 */
function gatedAttention(
  q: tf.Tensor3D,
  { keys, values, prefixLen, keyMask }: OwnTokens,
  context: AttentionContext,
  gate: tf.Tensor1D,
): Attended {
  const numHeads = gate.shape[0];
  const [, , dModel] = q.shape;
  const ofOwn = { numHeads, prefixLen, contextLen: 0 };
  const ofContext = { numHeads, prefixLen: context.keys.shape[1], contextLen: 0 };
  const read = tokenAttention(q, context.keys, context.values, ofContext); // [batch, queryLen, dModel]
  const share = tf.reshape(tf.tanh(gate), [numHeads, 1]);
  const shares = tf.reshape(tf.mul(share, tf.ones([numHeads, dModel / numHeads])), [dModel]);
  return {
    parts: [tf.add(tokenAttention(q, keys, values, ofOwn, keyMask), tf.mul(read, shares)), read],
    probabilities: () => {
      const onOwn = tokenAttentionReference(q, keys, values, keyMask, ofOwn).probabilities;
      const onContext = tokenAttentionReference(q, context.keys, context.values, undefined, ofContext).probabilities;
      return tf.concat([tf.mul(onContext, tf.reshape(tf.abs(share), [numHeads, 1, 1])), onOwn], 3) as tf.Tensor4D;
    },
  };
}
