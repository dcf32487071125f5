import type { tf } from '#src/engine';
import { isRecomputing, recomputed } from '#src/kernels';
import { expectFittingOptions, type KeyValueCache, type StackOptions } from '#src/tokenformer';
import type { TransformerConfig } from './config.js';
import { fusedTransformerBlock } from './fusedTransformerBlock.js';
import { transformerBlock } from './transformerBlock.js';
import type { TransformerLayers } from './transformerLayers.js';

/**
 * Runs the blocks in order, each as one operation where nobody needs intermediates (`fusedTransformerBlock`). `capture`
 * receives `hidden.0` (the input) … `hidden.L` (after each block).
 *
 * @param x [batch, seqLen, dModel]
 * @returns [batch, seqLen, dModel], before the final norm; caches where they are kept
 * @throws Error for contexts: these blocks have no way to read another stream
 */
export function runTransformer(
  x: tf.Tensor3D,
  blocks: readonly TransformerLayers[],
  config: TransformerConfig,
  { mask, keyMask, lengths, contexts, caches, keepCaches = caches !== undefined, capture }: StackOptions,
): { hidden: tf.Tensor3D; caches: KeyValueCache[] } {
  if (contexts && contexts.length > 0)
    throw new Error(`runTransformer: expected no contexts, got ${contexts.length}: only a TokenFormer reads them`);
  expectFittingOptions('runTransformer', x, blocks.length, { mask, lengths, caches });
  let hidden = x;
  const newCaches: KeyValueCache[] = [];
  capture?.('hidden.0', () => hidden);
  for (const [l, layers] of blocks.entries()) {
    if (!keepCaches && !capture && !keyMask) {
      hidden = opaqueBlock(hidden, layers, config, { mask, lengths });
      continue;
    }
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

/** A block of which nobody needs intermediates: one operation where the engine has it; where asked, computed again for its gradient. */
function opaqueBlock(
  x: tf.Tensor3D,
  layers: TransformerLayers,
  config: TransformerConfig,
  options: Pick<StackOptions, 'mask' | 'lengths'>,
): tf.Tensor3D {
  const run = (from: tf.Tensor3D): tf.Tensor3D =>
    fusedTransformerBlock(from, layers, config, options) ??
    transformerBlock(from, layers, config, { mask: options.mask }).hidden;
  if (!isRecomputing()) return run(x);
  const trained = Object.values(layers).filter(({ trainable }) => trainable);
  return recomputed({ differentiated: [x, ...trained.map(({ tensor }) => tensor)] }, (kept) => run(kept(x)));
}
