import { totalWeight } from '#language';
import { readScalar, tf } from '#src/engine';
import { captionLoss } from '../../captionLoss.js';
import type { CaptionBatch, CaptionPairs } from '../../captionPairs.js';
import { imageContexts } from '../../imageContexts.js';
import type { AlignObjective, ObjectiveContext, StatesOf } from './objective.js';

/**
 * Weighted negative log-likelihood of captions given their images; weights by word and step are the pairs' own
 * (`tokenWeights`). Measures the plain NLL per token of the validation pairs.
 */
export function createCaptionNll({
  model,
  train,
  validation,
  batchSize,
  gradientAccumulation,
  seed,
  visionMoves,
}: ObjectiveContext): AlignObjective {
  const lossOf = (statesOf: StatesOf, pairs: CaptionPairs, batch: CaptionBatch, weights?: Float32Array): tf.Scalar => {
    const contexts = imageContexts(model, statesOf(pairs, batch.images), { bridge: true }, visionMoves);
    return captionLoss(model, batch.text, contexts, weights);
  };
  return {
    coefficient: 1,
    loss: (index, statesOf) => {
      const batch = train.batchAt(index, batchSize, seed);
      const weights = batch.weights(Math.floor(index / gradientAccumulation));
      const weight = totalWeight(batch.text.labels, weights);
      return { sum: lossOf(statesOf, train, batch, weights), weight };
    },
    measure: async (statesOf) => {
      let sum = 0;
      let tokens = 0;
      for (const batch of validation.batches(batchSize)) {
        sum += await readScalar(tf.tidy(() => lossOf(statesOf, validation, batch)));
        tokens += batch.text.numTokens;
      }
      return { 'validation/captionNll': sum / tokens };
    },
    dispose: () => undefined,
  };
}
