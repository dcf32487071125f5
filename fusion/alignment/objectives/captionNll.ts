import { totalWeight } from '#language';
import { tf } from '#src/engine';
import { captionLoss, captionLossAndHits } from '../../captionLoss.js';
import type { CaptionBatch, CaptionPairs } from '../../captionPairs.js';
import { imageContexts } from '../../imageContexts.js';
import type { FusionOptions } from '../../jointModel.js';
import { type AlignObjective, type ObjectiveContext, type StatesOf, trainedBridges } from './objective.js';

/**
 * Weighted negative log-likelihood of captions given their images; weights by word and step are the pairs' own
 * (`tokenWeights`). Measures the plain NLL per token of the validation pairs, and where it selects the best checkpoint the share of tokens
 * that are the likeliest.
 */
export function createCaptionNll({
  model,
  train,
  validation,
  batchSize,
  gradientAccumulation,
  seed,
  visionMoves,
  bridgeDropout,
  selectBy,
}: ObjectiveContext): AlignObjective {
  const contextsOf = (statesOf: StatesOf, pairs: CaptionPairs, batch: CaptionBatch, options: FusionOptions) =>
    imageContexts(model, statesOf(pairs, batch.images), options, visionMoves);
  return {
    coefficient: 1,
    loss: (index, statesOf) => {
      const batch = train.batchAt(index, batchSize, seed);
      const weights = batch.weights(Math.floor(index / gradientAccumulation));
      const weight = totalWeight(batch.text.labels, weights);
      const options = trainedBridges(index, seed, bridgeDropout);
      const contexts = contextsOf(statesOf, train, batch, options);
      return { sum: captionLoss(model, batch.text, contexts, weights, options), weight };
    },
    measure: async (statesOf) => {
      const countsHits = selectBy === 'captionAccuracy';
      const totals = [0, 0];
      let tokens = 0;
      for (const batch of validation.batches(batchSize)) {
        const sums = tf.tidy(() => {
          const contexts = contextsOf(statesOf, validation, batch, { bridge: true });
          if (!countsHits) return tf.stack([captionLoss(model, batch.text, contexts)]);
          const { loss, hits } = captionLossAndHits(model, batch.text, contexts);
          return tf.stack([loss, hits]);
        });
        for (const [i, sum] of (await sums.data()).entries()) totals[i] += sum;
        sums.dispose();
        tokens += batch.text.numTokens;
      }
      return {
        'validation/captionNll': totals[0] / tokens,
        ...(countsHits && { 'validation/captionAccuracy': totals[1] / tokens }),
      };
    },
    dispose: () => undefined,
  };
}
