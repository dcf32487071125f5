import { tf } from '#src/engine';
import { hasFastKernel, requireResult, runFastKernel } from '#src/kernels';
import type { AttentionContext } from './attend.js';
import type { BlockLayers, KeyValueCache } from './block.js';
import { blockAttributes, kernelLayers } from './blockAttributes.js';
import type { TokenFormerConfig } from './config.js';
import { clustersIn, isRemote, isSparse, strongestIn } from './pattentionLayer.js';

/** Beyond so many rows, block by block is faster: products then pack the weights once for all rows. */
const MAX_ROWS = 32;

export interface DecodeOptions {
  /** One per block. */
  readonly caches: readonly KeyValueCache[];
  readonly contexts?: readonly AttentionContext[];
}

/**
 * One new token of every row through all blocks in one call: what `block` computes, block by block. Kernel: `DecodeBlocks`.
 *
 * The new keys and values are written into the caches where these have room; those that have none are replaced by larger
 * ones. The caches that were passed in must not be used again.
 *
 * @param x [rows, 1, dModel]
 * @returns hidden [rows, 1, dModel] and caches with one more token; undefined where the engine has no kernel for it, for
 * more than one token or many rows, inside a gradient, for groups that share a norm, are in clusters or in another process, and
 * for contexts with an attention of their own or of which only some have a gate
 */
export function decodeStack(
  x: tf.Tensor3D,
  blocks: readonly BlockLayers[],
  config: TokenFormerConfig,
  { caches, contexts = [] }: DecodeOptions,
): { hidden: tf.Tensor3D; caches: KeyValueCache[] } | undefined {
  const [rows, seqLen] = x.shape;
  if (seqLen !== 1 || rows > MAX_ROWS || tf.engine().state.gradientDepth > 0) return undefined;
  const layers = blocks.flatMap((block, b) => kernelLayers(block, contexts[b]));
  const groups = layers.flat();
  const contextGates = contexts.flatMap(({ gate }) => gate ?? []);
  const isUnion = groups.some(({ norm }) => norm === 'union');
  if (
    isUnion ||
    groups.some(isRemote) ||
    groups.some((active) => clustersIn(active) !== undefined) ||
    contexts.some(({ separate }) => separate !== undefined) ||
    (contextGates.length > 0 && contextGates.length < contexts.length)
  )
    return undefined;
  const past = caches[0].length;
  const linear = groups.map(({ norm }) => norm === 'linear');
  const strongest = groups.map((active) => (isSparse(active) ? strongestIn(active) : 0));
  const attributes = { ...blockAttributes(layers, config), linear, strongest, past };
  if (!hasFastKernel('DecodeBlocks', attributes)) return undefined;
  const roomy = caches.map(withRoom);
  const inputs = {
    x,
    keys: groups.map(({ group }) => group.keyParamTokens),
    values: groups.map(({ group }) => group.valueParamTokens),
    gates: groups.map(({ gate }) => gate),
    contextKeys: contexts.map(({ keys }) => keys),
    contextValues: contexts.map(({ values }) => values),
    contextGates,
    cacheKeys: roomy.map(({ keys }) => keys),
    cacheValues: roomy.map(({ values }) => values),
  };
  const [hidden] = requireResult(runFastKernel('DecodeBlocks', inputs, attributes));
  return { hidden: hidden as tf.Tensor3D, caches: roomy.map((cache) => ({ ...cache, length: past + 1 })) };
}

/** The cache, or a copy of twice its length when it is full. */
function withRoom(cache: KeyValueCache): KeyValueCache {
  const { keys, values, length } = cache;
  if (keys.shape[1] > length) return cache;
  const room: [number, number][] = [
    [0, 0],
    [0, Math.max(32, length)],
    [0, 0],
  ];
  return { keys: tf.pad(keys, room), values: tf.pad(values, room), length };
}
