import { tf } from '#src/engine';
import { layerNormalize, pattention, rotaryPositions, tokenAttention, tokenAttentionReference } from '#src/kernels';
import { type BlockOptions, type KeyValueCache, maskPrefix, rotaryDims } from '#src/tokenformer';
import type { TransformerConfig } from './config.js';
import type { TransformerLayers, Weight } from './transformerLayers.js';

/** GELU(z) of each score, without a norm: with it a Pattention is an MLP. */
export const MLP_ACTIVATION = { normActivation: 'gelu', epsilon: 0, tau: 1 } as const;

export type TransformerBlockOptions = Omit<BlockOptions, 'context'>;

/**
 * A standard Transformer block, pre-norm and sequential, with non-parametric LayerNorm as the TokenFormer's has:
 *
 *   h = LN(x);  q, k, v = h W_q, h W_k, h W_v
 *   x ← x + attention(rotary(q), rotary(k), v) W_o
 *   x ← x + GELU( LN(x) W_upᵀ ) W_down
 *
 * There are no biases: a Pattention has none, so only the projections differ from `block`, and no published comparison of the
 * two has them (PaLM, arXiv 2204.02311, and Llama leave them out too).
 *
 * @param x [batch, seqLen, dModel]
 * @returns hidden state [batch, seqLen, dModel] and the keys and values of all tokens so far
 */
export function transformerBlock(
  x: tf.Tensor3D,
  layers: TransformerLayers,
  config: TransformerConfig,
  { mask, keyMask, cache, capture }: TransformerBlockOptions,
): { hidden: tf.Tensor3D; cache: KeyValueCache } {
  const [batch, seqLen, dModel] = x.shape;
  const { numHeads, rotaryBase, gelu } = config;
  const past = cache?.length ?? 0;
  const flat = (t: tf.Tensor): tf.Tensor2D => tf.reshape(t, [batch * seqLen, dModel]);
  const sequence = (t: tf.Tensor): tf.Tensor3D => tf.reshape(t, [batch, seqLen, dModel]);
  const product = (a: tf.Tensor2D, { tensor }: Weight): tf.Tensor2D => tf.matMul(a, tensor);

  const state = flat(x); // [batch · seqLen, dModel]
  const h = layerNormalize(state);
  const rotary = { numHeads, rotaryDims: rotaryDims(config), startPosition: past, base: rotaryBase };
  const q = rotaryPositions(sequence(product(h, layers.query)), rotary);
  const newKeys = rotaryPositions(sequence(product(h, layers.key)), rotary);
  const newValues = sequence(product(h, layers.value));
  const keys = cache ? tf.concat([cache.keys, newKeys], 1) : newKeys; // [batch, past + seqLen, dModel]
  const values = cache ? tf.concat([cache.values, newValues], 1) : newValues;
  capture?.('attention/query', () => q);
  capture?.('attention/key', () => keys);
  capture?.('attention/value', () => values);

  const settings = { numHeads, prefixLen: maskPrefix(mask, past + seqLen), contextLen: 0 };
  const attended = tokenAttention(q, keys, values, settings, keyMask);
  capture?.('attention/probabilities', () => tokenAttentionReference(q, keys, values, keyMask, settings).probabilities);
  const projected = product(flat(attended), layers.output);
  capture?.('attention/output', () => sequence(projected));

  const middle = tf.add(state, projected) as tf.Tensor2D;
  const { up, down } = layers;
  const want = { input: true, params: up.trainable || down.trainable };
  const mlp = pattention(layerNormalize(middle), up.tensor, down.tensor, { ...MLP_ACTIVATION, gelu }, want);
  capture?.('mlp', () => sequence(mlp));
  return { hidden: sequence(tf.add(middle, mlp)), cache: { keys, values, length: past + seqLen } };
}
