import { createLanguageParameters, type LanguageConfig, languageTask, textBatch } from '#language';
import { createRandom } from '#src/random';
import { ParameterTree } from '#src/tokenformer';
import { AdamW, TrainingConfig, trainStep } from '#src/training';

/** A training step of an untrained language model on random tokens; every call takes one, on the same batch. */
export function languageStep(
  config: LanguageConfig,
  batchSize: number,
  given: { readonly recompute?: true } = {},
): () => Promise<unknown> {
  const tree = new ParameterTree(createLanguageParameters(config, 1));
  const random = createRandom(1, 'language step');
  const rows = Array.from({ length: batchSize }, () =>
    Int32Array.from({ length: config.seqLen + 1 }, () => random.integer(config.vocabSize)),
  );
  const batch = textBatch(rows, config.seqLen, 0);
  const constant = { learningRate: 1e-4, finalLearningRateShare: 1 };
  const training = TrainingConfig.parse({ steps: 1_000_000, batchSize, ...constant, ...given });
  const dataset = { batchAt: () => batch, validationBatches: () => [batch] };
  const task = languageTask(tree, config, dataset, { training, data: { maxValidationBatches: 1 } });
  const optimizer = new AdamW(tree, training);
  let step = 0;
  return () => trainStep(task, training, optimizer, { step: ++step });
}
