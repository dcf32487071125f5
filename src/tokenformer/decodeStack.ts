import { tf } from '#src/engine';
import { hasFastKernel, LAYER_NORM_EPSILON, runFastKernel } from '#src/kernels';
import type { AttentionContext, BlockLayers, KeyValueCache } from './block.js';
import { rotaryDims, type TokenFormerConfig } from './config.js';
import type { ActiveGroup } from './pattentionLayer.js';

/** Rows beyond which blocks one after the other are faster: their products pack the weights once for all rows. */
const MOST_ROWS = 32;

export interface DecodeOptions {
  /** One per block. */
  readonly caches: readonly KeyValueCache[];
  readonly contexts?: readonly AttentionContext[];
}

/**
 * Whether `decodeStack` can take a pass: one new token a row, few rows, no gradient, groups with norms of their own, and
 * an engine with the kernel `DecodeBlocks`.
 */
export function canDecode(x: tf.Tensor3D, blocks: readonly BlockLayers[], { contexts = [] }: DecodeOptions): boolean {
  const [rows, seqLen] = x.shape;
  return (
    seqLen === 1 &&
    rows <= MOST_ROWS &&
    hasFastKernel('DecodeBlocks') &&
    tf.engine().state.gradientDepth === 0 &&
    contexts.every(({ separate }) => separate === undefined) &&
    blocks.every((layers) =>
      Object.values(layers)
        .flat()
        .every(({ norm }: ActiveGroup) => norm !== 'union'),
    )
  );
}

/**
 * One new token of every row through all blocks in one call: what `block` computes, block by block.
 *
 * The new keys and values are written into the caches where these have room; those that have none are replaced by larger
 * ones. Only the holder of the caches may pass them on, since what was passed in is no longer what it was.
 *
 * An engine's kernel `DecodeBlocks` takes x, then keys and values of every group, the blocks' layers in the order query,
 * key, value, output, output groups of the context, ffn; then contexts' keys and values, caches' keys and values.
 *
 * @param x [rows, 1, dModel]
 * @returns hidden [rows, 1, dModel] and caches with one more token
 */
export function decodeStack(
  x: tf.Tensor3D,
  blocks: readonly BlockLayers[],
  config: TokenFormerConfig,
  { caches, contexts = [] }: DecodeOptions,
): { hidden: tf.Tensor3D; caches: KeyValueCache[] } {
  const past = caches[0].length;
  const roomy = caches.map(withRoom);
  const layers = blocks.flatMap(({ query, key, value, output, ffn }, b) => [
    query,
    key,
    value,
    output,
    contexts[b]?.outputGroups ?? [],
    ffn,
  ]);
  const groups = layers.flat();
  const inputs = [
    x,
    ...groups.map(({ group }) => group.keyParamTokens),
    ...groups.map(({ group }) => group.valueParamTokens),
    ...contexts.map(({ keys }) => keys),
    ...contexts.map(({ values }) => values),
    ...roomy.map(({ keys }) => keys),
    ...roomy.map(({ values }) => values),
  ];
  const [hidden] = runFastKernel('DecodeBlocks', inputs, {
    groupsOfLayers: layers.map(({ length }) => length),
    taus: groups.map(({ group }) => group.tau),
    factors: groups.map(({ gate }) => (gate === undefined ? 1 : Math.tanh(gate.dataSync()[0]))),
    linear: groups.map(({ norm }) => norm === 'linear'),
    numContexts: contexts.length,
    numHeads: config.numHeads,
    rotaryDims: rotaryDims(config),
    rotaryBase: config.rotaryBase,
    past,
    normActivation: config.normActivation,
    gelu: config.gelu,
    normEpsilon: config.normEpsilon,
    layerNormEpsilon: LAYER_NORM_EPSILON,
  }) as tf.Tensor[];
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
