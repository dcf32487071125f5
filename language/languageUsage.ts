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
  for (const { tokenIds, batch, seqLen, lengths } of batches) {
    const counts = Float32Array.from({ length: batch * seqLen }, (_, i) =>
      i % seqLen < lengths[Math.floor(i / seqLen)] ? 1 : 0,
    );
    await meter.observe((capture) => {
      const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
      return languageHidden(tree, language, ids, { capture });
    }, counts);
  }
  return meter.usage();
}
