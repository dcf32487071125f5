import type { tf } from '#src/engine';
import type { KeyValueCache, StackOptions } from '#src/tokenformer';
import type { TransformerConfig } from './config.js';
import { transformerBlock } from './transformerBlock.js';
import type { TransformerLayers } from './transformerLayers.js';

/**
 * Runs the blocks in order. `capture` receives `hidden.0` (the input) … `hidden.L` (after each block).
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel], before the final norm; caches where they are kept
 * @throws Error for contexts: these blocks have no way to read another stream
 */
export function runTransformer(
  x: tf.Tensor3D,
  blocks: readonly TransformerLayers[],
  config: TransformerConfig,
  { mask, keyMask, contexts, caches, keepCaches = caches !== undefined, capture }: StackOptions,
): { hidden: tf.Tensor3D; caches: KeyValueCache[] } {
  if (contexts && contexts.length > 0)
    throw new Error(`runTransformer: expected no contexts, got ${contexts.length}: only a TokenFormer reads them`);
  if (caches && caches.length !== blocks.length)
    throw new Error(`runTransformer: expected a cache for each of ${blocks.length} blocks, got ${caches.length}`);
  let hidden = x;
  const newCaches: KeyValueCache[] = [];
  capture?.('hidden.0', () => hidden);
  for (const [l, layers] of blocks.entries()) {
    const result = transformerBlock(hidden, layers, config, {
      mask,
      keyMask,
      cache: caches?.[l],
      capture: capture && ((name, compute) => capture(`block${l}/${name}`, compute)),
    });
    hidden = result.hidden;
    if (keepCaches) newCaches.push(result.cache);
    capture?.(`hidden.${l + 1}`, () => hidden);
  }
  return { hidden, caches: newCaches };
}
