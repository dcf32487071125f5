import { resolve } from 'node:path';
import { z } from 'zod';
import { renamedKey } from '#src/config';
import { readScalar, tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { readBytes } from '#src/storage';
import { ParameterTree, TokenFormerConfig } from '#src/tokenformer';
import { type RunOptions, runTraining, TrainingConfig, type TrainingResult, type TrainingTask } from '#src/training';
import { createLanguageParameters, languageHidden } from './backbone.js';
import { LanguageConfig } from './config.js';
import { openTextDataset, type TextBatch, TextDataConfig, type TextDataset } from './data/index.js';
import { summedTokenLoss, totalWeight } from './loss.js';
import { loadTokenizer, type Tokenizer, TokenizerConfig } from './tokenizer/index.js';

/** An experiment file that pretrains a language backbone; paths start at the working root. */
export const LanguageExperiment = z.strictObject({
  kind: z.literal('language'),
  name: z.string().min(1),
  seed: z.int().default(0),
  model: TokenFormerConfig,
  embeddingStd: z.number().positive().default(0.02).describe('of the new token embedding; 0.02 in the official code'),
  tokenizer: TokenizerConfig,
  data: TextDataConfig,
  evaluationBatches: z.int().positive().default(20).describe('at most so many batches at each evaluation'),
  training: TrainingConfig,
});
export type LanguageExperiment = z.output<typeof LanguageExperiment>;

/** What a language checkpoint says of itself; a `bpe` tokenizer lies beside it as `tokenizer.json`. */
export const LanguageModelConfig = renamedKey(
  'language',
  'backbone',
  z.strictObject({
    backbone: LanguageConfig,
    tokenizer: TokenizerConfig,
    tokenizerFingerprint: z.string(),
  }),
);
export type LanguageModelConfig = z.output<typeof LanguageModelConfig>;

/** Name of the tokenizer file inside a checkpoint. */
export const TOKENIZER_FILE = 'tokenizer.json';

/** Pretrains a language backbone on next-token prediction. */
export async function trainLanguage(experiment: LanguageExperiment, options: RunOptions): Promise<TrainingResult> {
  const { seed, training } = experiment;
  const { tokenizer, assets, stored } = packTokenizer(experiment.tokenizer, options.root);
  const dataset = openTextDataset(experiment.data, tokenizer, {
    cacheDir: options.cacheDir,
    baseDir: options.root,
    seed,
  });
  if (dataset.heldOut === undefined) {
    throw new ConfigError('data: expected heldOutFiles or heldOutShare, got neither; perplexity needs held-out text');
  }
  const { vocabSize } = tokenizer;
  options.output.line(`${dataset.numTokens} tokens in ${dataset.numDocuments} documents, vocabulary ${vocabSize}`);
  const language: LanguageConfig = { vocabSize, seqLen: dataset.seqLen, stack: experiment.model };
  const tree = new ParameterTree(createLanguageParameters(language, seed, experiment.embeddingStd));
  const config: LanguageModelConfig = {
    backbone: language,
    tokenizer: stored,
    tokenizerFingerprint: tokenizer.fingerprint,
  };
  try {
    return await runTraining({
      task: languageTask(tree, language, dataset, experiment),
      config: training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      model: { kind: 'language', config },
      assets,
      resume: options.resume,
      output: options.output,
    });
  } finally {
    tree.dispose();
    dataset.dispose();
    tokenizer.dispose();
  }
}

/** Loads a tokenizer together with the files and the configuration by which a checkpoint carries it. */
function packTokenizer(
  config: TokenizerConfig,
  root: string,
): { tokenizer: Tokenizer; assets: Map<string, Uint8Array>; stored: TokenizerConfig } {
  const tokenizer = loadTokenizer(config, { baseDir: root });
  if (config.kind === 'tiktoken') return { tokenizer, assets: new Map(), stored: config };
  const bytes = readBytes(resolve(root, config.path), 'tokenizer');
  return { tokenizer, assets: new Map([[TOKENIZER_FILE, bytes]]), stored: { kind: 'bpe', path: TOKENIZER_FILE } };
}

/** Next-token prediction as the training loop sees it. */
export function languageTask(
  tree: ParameterTree,
  language: LanguageConfig,
  dataset: Pick<TextDataset, 'batchAt' | 'evaluationBatches'>,
  { training, evaluationBatches }: Pick<LanguageExperiment, 'training' | 'evaluationBatches'>,
): TrainingTask {
  const lossOf = ({ tokenIds, labels, batch, seqLen, lengths }: TextBatch): tf.Scalar => {
    const ids = tf.tensor2d(tokenIds, [batch, seqLen], 'int32');
    const { hidden } = languageHidden(tree, language, ids, { lengths });
    return summedTokenLoss(tree, hidden, labels);
  };
  const batchAt = (index: number): TextBatch => dataset.batchAt(index, training.batchSize);
  return {
    parameters: tree,
    unit: 'tokens',
    loss: (index) => {
      const batch = batchAt(index);
      return { sum: lossOf(batch), weight: totalWeight(batch.labels) };
    },
    unitsIn: (index) => batchAt(index).numTokens,
    describeBatch: (index) => `text batch ${index}`,
    evaluate: async () => {
      let sum = 0;
      let tokens = 0;
      for (const batch of dataset.evaluationBatches(training.batchSize, evaluationBatches)) {
        sum += await readScalar(tf.tidy(() => lossOf(batch)));
        tokens += batch.numTokens;
      }
      const loss = sum / tokens;
      return { 'validation/loss': loss, 'validation/perplexity': Math.exp(loss) };
    },
    selectBy: { metric: 'validation/loss', better: 'lower' },
  };
}
