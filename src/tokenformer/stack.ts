import { tf } from '#src/engine';
import { findNormActivation, isRecomputing, layerNormalize, recomputed } from '#src/kernels';
import { createRandom } from '#src/random';
import type { HostTensor } from '#src/storage';
import type { AttentionContext } from './attend.js';
import { type AttentionMask, type BlockLayers, block, type Capture, type KeyValueCache, LAYER_PATHS } from './block.js';
import { blockTensors, keptContext, keptLayers } from './blockTensors.js';
import { LAYER_NAMES, type LayerName, stackGroups, type TokenFormerConfig } from './config.js';
import { decodeStack } from './decodeStack.js';
import { type FusedBlockOptions, fusedBlock } from './fusedBlock.js';
import type { ParameterTree } from './parameterTree.js';
import { constantTensor, createGroup, readGroup } from './paramTokens.js';
import type { PattentionLayer } from './pattentionLayer.js';

/** `block3/attention/query` */
export function layerPath(blockIndex: number, layer: LayerName): string {
  return `block${blockIndex}/${LAYER_PATHS[layer]}`;
}

/**
 * New parameters of a stack whose own group is `groupName`, each group initialised as the official code does:
 * keys N(0, 0.02²), values N(0, (2/(L √d))²) in every layer, τ by its Θ (√n; n for softmax); final norm 1 and 0.
 * Source: megatron/model/init_functions.py at 4d56c73 (`normal`, `wang_init`).
 */
export function createStack(groupName: string, config: TokenFormerConfig, seed: number): Map<string, HostTensor> {
  const tensors = new Map<string, HostTensor>();
  const normActivation = findNormActivation(config.normActivation);
  for (let l = 0; l < config.numLayers; l++) {
    for (const layer of LAYER_NAMES) {
      const path = layerPath(l, layer);
      for (const { name: group, paramTokens } of stackGroups(config, groupName)) {
        const numParamTokens = paramTokens[layer];
        if (numParamTokens === 0) continue;
        const init = {
          numParamTokens,
          dIn: config.dModel,
          dOut: config.dModel,
          ...initialStds(config),
          tau: normActivation.tau(numParamTokens),
        };
        for (const [name, tensor] of createGroup(path, group, init, createRandom(seed, 'init', group, path))) {
          tensors.set(name, tensor);
        }
      }
    }
  }
  tensors.set(`${groupName}/finalNorm/scale`, constantTensor([config.dModel], 1));
  tensors.set(`${groupName}/finalNorm/bias`, constantTensor([config.dModel], 0));
  return tensors;
}

/** Standard deviations of new keys and values. */
export function initialStds({ numLayers, dModel }: Pick<TokenFormerConfig, 'numLayers' | 'dModel'>): {
  readonly keyStd: number;
  readonly valueStd: number;
} {
  return { keyStd: 0.02, valueStd: 2 / (numLayers * Math.sqrt(dModel)) };
}

/**
 * The groups of a stack in one layer: its own, then those appended to it. A group that has more parameter tokens than `config`
 * says is used up to there, its prefix.
 */
export function stackLayer(
  tree: ParameterTree,
  config: TokenFormerConfig,
  groupName: string,
  blockIndex: number,
  layer: LayerName,
): PattentionLayer {
  return stackGroups(config, groupName)
    .filter(({ paramTokens }) => paramTokens[layer] > 0)
    .map(({ name, norm, paramTokens }) => {
      const prefix = { numParamTokens: paramTokens[layer], normActivation: config.normActivation };
      return { group: readGroup(tree, layerPath(blockIndex, layer), name, prefix), norm };
    });
}

/** The blocks of a stack on its own. */
export function stackBlocks(tree: ParameterTree, config: TokenFormerConfig, groupName: string): BlockLayers[] {
  return blocksOf(config.numLayers, (layer, l) => stackLayer(tree, config, groupName, l, layer));
}

/** Blocks made layer by layer. */
export function blocksOf(
  numLayers: number,
  layerOf: (layer: LayerName, blockIndex: number) => PattentionLayer,
): BlockLayers[] {
  return Array.from(
    { length: numLayers },
    (_, l) => Object.fromEntries(LAYER_NAMES.map((layer) => [layer, layerOf(layer, l)])) as unknown as BlockLayers,
  );
}

export interface StackOptions {
  readonly mask: AttentionMask;
  readonly keyMask?: tf.Tensor2D;
  /**
   * Tokens of each sequence that count, [batch]; with a causal mask. States of padding are undefined: a block that is one
   * operation does not compute them.
   */
  readonly lengths?: Int32Array;
  /** What each block reads besides its own tokens. */
  readonly contexts?: readonly AttentionContext[];
  /** One per block; absent for a first or only pass. */
  readonly caches?: readonly KeyValueCache[];
  /** A first pass whose caches will be read, by later tokens or as another stream's context. */
  readonly keepCaches?: boolean;
  readonly capture?: Capture;
}

/**
 * Runs the blocks in order, each as one operation where nobody needs intermediates (`fusedBlock`), or, to decode one more
 * token, all at once (`decodeStack`). Caches that were passed in must not be used again; a first pass returns none unless
 * asked to keep them. `capture` receives `hidden.0` (the input) … `hidden.L` (after each block).
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel], before the final norm
 */
export function runStack(
  x: tf.Tensor3D,
  blocks: readonly BlockLayers[],
  config: TokenFormerConfig,
  { mask, keyMask, lengths, contexts, caches, keepCaches = caches !== undefined, capture }: StackOptions,
): { hidden: tf.Tensor3D; caches: KeyValueCache[] } {
  expectFittingOptions('runStack', x, blocks.length, { mask, lengths, caches });
  if (caches && !capture && !keyMask && mask.kind === 'causal') {
    const decoded = decodeStack(x, blocks, config, { caches, contexts });
    if (decoded) return decoded;
  }
  let hidden = x;
  const newCaches: KeyValueCache[] = [];
  capture?.('hidden.0', () => hidden);
  for (const [l, layers] of blocks.entries()) {
    if (!keepCaches && !capture && !keyMask) {
      hidden = opaqueBlock(hidden, layers, config, { mask, lengths, context: contexts?.[l] });
      continue;
    }
    const result = block(hidden, layers, config, {
      mask,
      keyMask,
      context: contexts?.[l],
      cache: caches?.[l],
      capture: capture && ((name, compute) => capture(`block${l}/${name}`, compute)),
    });
    hidden = result.hidden;
    if (keepCaches) newCaches.push(result.cache);
    capture?.(`hidden.${l + 1}`, () => hidden);
  }
  return { hidden, caches: newCaches };
}

/** A block of which nobody needs intermediates: one operation where the engine has it; where asked, computed again for its gradient. */
function opaqueBlock(
  x: tf.Tensor3D,
  layers: BlockLayers,
  config: TokenFormerConfig,
  options: FusedBlockOptions,
): tf.Tensor3D {
  const run = (from: tf.Tensor3D, of: BlockLayers, context: AttentionContext | undefined): tf.Tensor3D =>
    fusedBlock(from, of, config, { ...options, context }) ??
    block(from, of, config, { mask: options.mask, context }).hidden;
  if (!isRecomputing()) return run(x, layers, options.context);
  const { differentiated, constant } = blockTensors(layers, options.context);
  return recomputed({ differentiated: [x, ...differentiated], constant }, (kept) =>
    run(kept(x), keptLayers(layers, kept), keptContext(options.context, kept)),
  );
}

/** Throws unless there is a cache for each block, and lengths are of every sequence and under a causal mask. */
export function expectFittingOptions(
  caller: string,
  x: tf.Tensor3D,
  numBlocks: number,
  { mask, lengths, caches }: Pick<StackOptions, 'mask' | 'lengths' | 'caches'>,
): void {
  if (caches && caches.length !== numBlocks)
    throw new Error(`${caller}: expected a cache for each of ${numBlocks} blocks, got ${caches.length}`);
  if (lengths && mask.kind !== 'causal')
    throw new Error(
      `${caller}: expected a causal mask with lengths, got '${mask.kind}': other tokens would read padding`,
    );
  if (lengths && lengths.length !== x.shape[0])
    throw new Error(`${caller}: expected a length for each of ${x.shape[0]} sequences, got ${lengths.length}`);
}

/**
 * The parametric final norm: LN(x) · scale + bias.
 *
 * @param x [tokens, dModel]
 */
export function finalNorm(x: tf.Tensor2D, tree: ParameterTree, groupName: string): tf.Tensor2D {
  const scale = tree.variable(`${groupName}/finalNorm/scale`);
  const bias = tree.variable(`${groupName}/finalNorm/bias`);
  return tf.add(tf.mul(layerNormalize(x), scale), bias);
}
