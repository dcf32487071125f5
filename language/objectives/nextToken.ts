import { z } from 'zod';
import { tf } from '#src/engine';
import { languageHidden } from '../model/backbone.js';
import { summedTokenLoss, totalWeight } from '../model/loss.js';
import type { ObjectiveFactory } from './objective.js';

/** Every token from those before it. */
export const NextTokenConfig = z
  .strictObject({ kind: z.literal('nextToken') })
  .describe('each token is predicted from those before it');

/** Σ_t −log p(token_t | earlier tokens); padding counts for nothing. Measures the mean in nats per token, and perplexity. */
export const createNextToken: ObjectiveFactory<z.output<typeof NextTokenConfig>> = () => ({
  loss: ({ tree, language, batch: { tokenIds, labels, batch, seqLen, lengths } }) => {
    const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
    const { hidden } = languageHidden(tree, language, ids, { lengths });
    return { sum: summedTokenLoss(tree, hidden, labels), weight: totalWeight(labels) };
  },
  metrics: (loss) => ({ 'validation/loss': loss, 'validation/perplexity': Math.exp(loss) }),
});
