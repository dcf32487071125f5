import { tf } from '#src/engine';
import { createUsageMeter, type ParameterTree, type ParamTokenUsage } from '#src/tokenformer';
import type { TextBatch } from './data/index.js';
import { languageBlocks, languageHidden } from './model/backbone.js';
import type { LanguageConfig } from './model/config.js';

/** How much a language backbone uses each of its parameter tokens on text; padding does not count. */
export async function languageUsage(
  tree: ParameterTree,
  language: LanguageConfig,
  batches: Iterable<TextBatch>,
): Promise<ParamTokenUsage[]> {
  const meter = createUsageMeter(languageBlocks(tree, language), language.stack);
  for (const text of batches) {
    const { tokenIds, batch, seqLen } = text;
    await meter.observe((capture) => {
      const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
      return languageHidden(tree, language, ids, { capture });
    }, tokenCounts(text));
  }
  return meter.usage();
}

/** 1 for each token of a batch, 0 for padding. [batch · seqLen] */
export function tokenCounts({ batch, seqLen, lengths }: Pick<TextBatch, 'batch' | 'seqLen' | 'lengths'>): Float32Array {
  return Float32Array.from({ length: batch * seqLen }, (_, i) =>
    i % seqLen < lengths[Math.floor(i / seqLen)] ? 1 : 0,
  );
}
