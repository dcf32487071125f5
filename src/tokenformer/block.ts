import { tf } from '#src/engine';
import { layerNormalize, rotaryPositions, tokenAttention } from '#src/kernels';
import { type AttentionContext, attend } from './attend.js';
import { blockMath } from './blockAttributes.js';
import type { LayerName, TokenFormerConfig } from './config.js';
import { isRemote, type PattentionLayer, pattentionLayer, pattentionLayers, tokenWeights } from './pattentionLayer.js';

/** The five Pattention layers of a block, as one stream uses them. */
export type BlockLayers = Readonly<Record<LayerName, PattentionLayer>>;

/** Path of each layer inside its block; part of every parameter name. */
export const LAYER_PATHS: Readonly<Record<LayerName, string>> = {
  query: 'attention/query',
  key: 'attention/key',
  value: 'attention/value',
  output: 'attention/output',
  ffn: 'ffn',
};

/** Keys and values of the tokens seen so far. */
export interface KeyValueCache {
  /** [batch, capacity, dModel], of which `length` tokens are filled. */
  readonly keys: tf.Tensor3D;
  readonly values: tf.Tensor3D;
  readonly length: number;
}

export type AttentionMask =
  | { readonly kind: 'causal' }
  | { readonly kind: 'full' }
  | { readonly kind: 'prefix'; readonly prefixLen: number };

/**
 * Receives named intermediates; `compute` is only called by a listener that wants that name. A block offers
 * `attention/query`, `key`, `value`, `probabilities` ([batch, numHeads, queryLen, keyLen]), `output`, `ffn`, the weights over the
 * parameter tokens of each group, `attention/query/<group>/weights` … ([batch · seqLen, numParamTokens]), and what each layer
 * reads, `attention/query/input` … ([batch · seqLen, dModel]); with a context also what its groups read, at the paths of
 * `contextLayers`.
 */
export type Capture = (name: string, compute: () => tf.Tensor) => void;

export interface BlockOptions {
  readonly mask: AttentionMask;
  /** [batch, seqLen], 1 = attend, 0 = padding; not together with a cache. */
  readonly keyMask?: tf.Tensor2D;
  readonly context?: AttentionContext;
  readonly cache?: KeyValueCache;
  readonly capture?: Capture;
}

/**
 * A TokenFormer block, pre-norm and sequential, with non-parametric LayerNorm and ordinary softmax attention:
 *
 *   h = LN(x);  q, k, v = Pattention_{q,k,v}(h)
 *   x ← x + Pattention_output( attention(rotary(q), rotary(k), v) )
 *   x ← x + Pattention_ffn( LN(x) )
 *
 * With a context: attention runs over [context, own tokens] jointly, and the context's part of it also goes through
 * `context.outputGroups`. With a gate the two are apart (`gatedAttention`). Source: TokenFormer, arXiv 2410.23168, eq. 5-10.
 *
 * @param x [batch, seqLen, dModel]
 * @returns hidden state [batch, seqLen, dModel] and the keys and values of all tokens so far
 */
export function block(
  x: tf.Tensor3D,
  layers: BlockLayers,
  config: TokenFormerConfig,
  { mask, keyMask, context: read, cache, capture }: BlockOptions,
): { hidden: tf.Tensor3D; cache: KeyValueCache } {
  const [batch, seqLen, dModel] = x.shape;
  const { numHeads, rotaryDims, rotaryBase } = blockMath(config);
  const past = cache?.length ?? 0;
  const context = read?.separate ? undefined : read;
  const flat = (t: tf.Tensor): tf.Tensor2D => tf.reshape(t, [-1, t.shape.at(-1) as number]); // [batch · len, width]
  const sequence = (t: tf.Tensor): tf.Tensor3D => tf.reshape(t, [batch, seqLen, dModel]);

  const crossed = read?.separate && crossAttention(x, read, config, capture);
  const state = (crossed ? tf.add(flat(x), crossed) : flat(x)) as tf.Tensor2D; // [batch · seqLen, dModel]
  const h = layerNormalize(state);
  const rotary = { numHeads, rotaryDims, startPosition: past, base: rotaryBase };
  const [ownQueries, ownKeys, ownValues] = pattentionLayers(
    [layers.query, layers.key, layers.value].map((layer) => ({ x: h, layer })),
    config,
  );
  const q = rotaryPositions(sequence(ownQueries), rotary);
  const newKeys = rotaryPositions(sequence(ownKeys), rotary);
  const newValues = sequence(ownValues);
  const keys = cache ? tf.concat([filled(cache.keys, past), newKeys], 1) : newKeys; // [batch, past + seqLen, dModel]
  const values = cache ? tf.concat([filled(cache.values, past), newValues], 1) : newValues;
  capture?.('attention/query', () => q);
  capture?.('attention/key', () => keys);
  capture?.('attention/value', () => values);
  for (const name of ['query', 'key', 'value'] as const) capture?.(`${LAYER_PATHS[name]}/input`, () => h);
  captureWeights(h, layers, ['query', 'key', 'value'], config, capture);

  const own = { keys, values, prefixLen: maskPrefix(mask, past + seqLen), keyMask };
  const { parts, probabilities } = attend(q, own, context, numHeads);
  capture?.('attention/probabilities', probabilities);
  const [whole, fromContext] = parts.map(flat);
  const readsContext = context !== undefined && context.outputGroups.length > 0;
  const outputs = pattentionLayers(
    [{ x: whole, layer: layers.output }, ...(readsContext ? [{ x: fromContext, layer: context.outputGroups }] : [])],
    config,
  );
  const projected = outputs.reduce((sum, y) => tf.add(sum, y));
  capture?.('attention/output/input', () => whole);
  captureWeights(whole, layers, ['output'], config, capture);
  if (readsContext) {
    capture?.('context/output/input', () => fromContext);
    captureWeights(fromContext, { ...layers, output: context.outputGroups }, ['output'], config, capture);
  }
  capture?.('attention/output', () => sequence(projected));

  const middle = tf.add(state, projected) as tf.Tensor2D;
  const normedMiddle = layerNormalize(middle);
  const ffn = pattentionLayer(normedMiddle, layers.ffn, config);
  capture?.('ffn/input', () => normedMiddle);
  captureWeights(normedMiddle, layers, ['ffn'], config, capture);
  capture?.('ffn', () => sequence(ffn));
  return { hidden: sequence(tf.add(middle, ffn)), cache: { keys, values, length: past + seqLen } };
}

/** The layers that a context brings, by the path at which a block offers what they read: `context/output/input` …. */
export function contextLayers({ outputGroups, separate }: AttentionContext): Partial<Record<string, PattentionLayer>> {
  if (separate === undefined) return { 'context/output': outputGroups };
  // Groups share no norm here, so that each has the gate of their sum.
  const gated = outputGroups.map((active) => ({ ...active, gate: separate.gate }));
  return { 'context/query': separate.query, 'context/output': gated };
}

/** The filled part of a cache. */
function filled(cached: tf.Tensor3D, length: number): tf.Tensor3D {
  return cached.shape[1] === length ? cached : tf.slice(cached, [0, 0, 0], [-1, length, -1]);
}

/**
 * tanh(gate) P(attention(P(LN x; query), keys, values); outputGroups): every token sees the whole context, no position.
 *
 * @returns [batch · seqLen, dModel]
 */
function crossAttention(
  x: tf.Tensor3D,
  { keys, values, outputGroups, separate }: AttentionContext,
  config: TokenFormerConfig,
  capture: Capture | undefined,
): tf.Tensor2D {
  const { query, gate } = separate as NonNullable<AttentionContext['separate']>;
  const [batch, seqLen, dModel] = x.shape;
  const h = layerNormalize(tf.reshape(x, [-1, dModel]) as tf.Tensor2D);
  const q = tf.reshape(pattentionLayer(h, query, config), [batch, seqLen, dModel]) as tf.Tensor3D;
  const settings = { numHeads: config.numHeads, prefixLen: keys.shape[1], contextLen: 0 };
  const attended = tf.reshape(tokenAttention(q, keys, values, settings), [-1, dModel]) as tf.Tensor2D;
  capture?.('context/query/input', () => h);
  capture?.('context/output/input', () => attended);
  const projected = pattentionLayer(attended, outputGroups, config);
  return tf.mul(projected, tf.tanh(gate));
}

/** Offers Θ(x K_gᵀ), the attention over parameter tokens, of every group here with a norm of its own: `<layer>/<group>/weights`. */
function captureWeights(
  x: tf.Tensor2D,
  layers: BlockLayers,
  names: readonly LayerName[],
  config: TokenFormerConfig,
  capture: Capture | undefined,
): void {
  if (capture === undefined) return;
  for (const name of names) {
    for (const active of layers[name]) {
      if (active.norm === 'union' || isRemote(active)) continue;
      capture(`${LAYER_PATHS[name]}/${active.group.name}/weights`, () => tokenWeights(x, active, config));
    }
  }
}

/** Keys of the own stream that every query sees. */
export function maskPrefix(mask: AttentionMask, keyLen: number): number {
  return mask.kind === 'causal' ? 0 : mask.kind === 'full' ? keyLen : mask.prefixLen;
}
