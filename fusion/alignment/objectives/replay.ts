import { z } from 'zod';
import { openTextDataset, summedTokenLoss, type TextBatch, TextDataConfig } from '#language';
import { readScalar, tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { captionHidden } from '../../captionPass.js';
import type { FusionOptions, JointModel } from '../../jointModel.js';
import { type ObjectiveFactory, trainedBridges } from './objective.js';

/** Text-only sentences with the text bridges on, so that the bridge may stay on for text. */
export const ReplayConfig = z.strictObject({
  text: TextDataConfig.describe('the text'),
  batchSize: z.int().positive().default(32).describe('sequences in each step'),
  weight: z.number().positive().default(0.5).describe('factor of the loss on text'),
});

/** Batches of validation text at each evaluation. */
const VALIDATION_BATCHES = 10;

/** @throws ConfigError when the model has no text bridges to train on text */
export function checkReplay({ method }: JointModel): void {
  if (method.replay) return;
  throw new ConfigError(
    `replay: expected a model with text bridges, got method '${method.name}', which leaves text alone as it was; leave replay out`,
  );
}

/**
 * Next-token loss of text without images, text bridges on. Measures that of validation text with the text bridges on, beside the
 * language backbone's own (bridges off); nothing without validation text.
 */
export const createReplay: ObjectiveFactory<z.output<typeof ReplayConfig>> = (config, context) => {
  const { model, seed, root, cacheDir, bridgeDropout } = context;
  const dataset = openTextDataset(config.text, model.tokenizer, { cacheDir, baseDir: root, seed });
  const lossOf = (batch: TextBatch, bridgeWithoutImage: boolean, options: FusionOptions): tf.Scalar => {
    const tokenIds = tf.tensor2d(batch.tokenIds, [batch.batch, batch.seqLen], 'int32');
    const { hidden } = captionHidden(model, tokenIds, { ...options, bridgeWithoutImage, lengths: batch.lengths });
    return summedTokenLoss(model.tree, hidden, batch.labels);
  };
  return {
    coefficient: config.weight,
    loss: (index) => {
      const batch = dataset.batchAt(index, config.batchSize);
      return { sum: lossOf(batch, true, trainedBridges(index, seed, bridgeDropout)), weight: batch.numTokens };
    },
    measure: async (): Promise<Record<string, number>> => {
      if (dataset.validation === undefined) return {};
      const sums = { on: 0, off: 0 };
      let tokens = 0;
      for (const batch of dataset.validationBatches(context.batchSize, VALIDATION_BATCHES)) {
        for (const key of ['on', 'off'] as const) {
          sums[key] += await readScalar(tf.tidy(() => lossOf(batch, key === 'on', { bridge: true })));
        }
        tokens += batch.numTokens;
      }
      return { 'validation/textNllBridgeOn': sums.on / tokens, 'validation/textNllBridgeOff': sums.off / tokens };
    },
    dispose: () => dataset.dispose(),
  };
};
