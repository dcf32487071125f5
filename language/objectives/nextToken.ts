import { z } from 'zod';
import { tf } from '#src/engine';
import { languageHidden } from '../model/backbone.js';
import { labelWeights, lossesOfTensors, totalWeight } from '../model/loss.js';
import type { ObjectiveFactory } from './objective.js';

/** Every token from those before it. */
export const NextTokenConfig = z
  .strictObject({ kind: z.literal('nextToken') })
  .describe('each token is predicted from those before it');

/** Σ_t −log p(token_t | earlier tokens); padding counts for nothing. Measures the mean in nats per token, and perplexity. */
export const createNextToken: ObjectiveFactory<z.output<typeof NextTokenConfig>> = () => ({
  computation: ({ tree, language, batch: { tokenIds, labels, batch, seqLen, lengths } }) => ({
    arrays: [
      { values: tokenIds, shape: [batch, seqLen] },
      { values: labels, shape: [batch * seqLen] },
      { values: labelWeights(labels), shape: [batch * seqLen] },
    ],
    weight: totalWeight(labels),
    sum: ([ids, targets, weights], forAll) => {
      const { hidden } = languageHidden(tree, language, ids as tf.Tensor2D, forAll ? {} : { lengths });
      return tf.sum(lossesOfTensors(tree, hidden, targets as tf.Tensor1D, weights as tf.Tensor1D));
    },
  }),
  metrics: (loss) => ({ 'validation/loss': loss, 'validation/perplexity': Math.exp(loss) }),
});
