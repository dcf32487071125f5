import { totalWeight } from '#language';
import { readScalar, tf } from '#src/engine';
import { captionLoss } from '../../captionLoss.js';
import type { CaptionBatch, CaptionPairs } from '../../captionPairs.js';
import { imageContexts } from '../../imageContexts.js';
import type { FusionOptions } from '../../jointModel.js';
import { type AlignObjective, type ObjectiveContext, type StatesOf, trainedBridges } from './objective.js';

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
  bridgeDropout,
}: ObjectiveContext): AlignObjective {
  const lossOf = (
    statesOf: StatesOf,
    pairs: CaptionPairs,
    batch: CaptionBatch,
    options: FusionOptions,
    weights?: Float32Array,
  ): tf.Scalar => {
    const contexts = imageContexts(model, statesOf(pairs, batch.images), options, visionMoves);
    return captionLoss(model, batch.text, contexts, weights, options);
  };
  return {
    coefficient: 1,
    loss: (index, statesOf) => {
      const batch = train.batchAt(index, batchSize, seed);
      const weights = batch.weights(Math.floor(index / gradientAccumulation));
      const weight = totalWeight(batch.text.labels, weights);
      return { sum: lossOf(statesOf, train, batch, trainedBridges(index, seed, bridgeDropout), weights), weight };
    },
    measure: async (statesOf) => {
      let sum = 0;
      let tokens = 0;
      for (const batch of validation.batches(batchSize)) {
        sum += await readScalar(tf.tidy(() => lossOf(statesOf, validation, batch, { bridge: true })));
        tokens += batch.text.numTokens;
      }
      return { 'validation/captionNll': sum / tokens };
    },
    dispose: () => undefined,
  };
}
