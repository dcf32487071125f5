import { resolve } from 'node:path';
import { z } from 'zod';
import { formerKeys, renamedKey } from '#src/config';
import { readScalar, tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { readBytes } from '#src/storage';
import { ParameterTree, TokenFormerConfig } from '#src/tokenformer';
import { type RunOptions, runTraining, TrainingConfig, type TrainingResult, type TrainingTask } from '#src/training';
import { LanguageDataConfig, openTextDataset, type TextBatch, type TextDataset } from './data/index.js';
import { createLanguageParameters } from './model/backbone.js';
import { LanguageConfig } from './model/config.js';
import { createObjective, ObjectiveConfig } from './objectives/index.js';
import { loadTokenizer, type Tokenizer, TokenizerConfig } from './tokenizer/index.js';

const LanguageModel = formerKeys(
  z.strictObject({
    stack: TokenFormerConfig,
    embeddingStd: z
      .number()
      .positive()
      .default(0.02)
      .describe('standard deviation of the token embedding at the start; 0.02 in the official code'),
  }),
  // A stack's keys once stood in `model` itself.
  Object.fromEntries(Object.keys(TokenFormerConfig.shape).map((key) => [key, `stack.${key}`])),
);

/** An experiment file that pretrains a language backbone; paths start at the working root. */
export const LanguageExperiment = formerKeys(
  z.strictObject({
    kind: z.literal('language'),
    name: z.string().min(1).describe('name of the run, and of its folder under --root'),
    seed: z.int().default(0).describe('draws the parameters and the order of the text'),
    model: LanguageModel.describe('the backbone; the output is tied to the token embedding'),
    tokenizer: TokenizerConfig.describe('how text becomes token ids'),
    data: LanguageDataConfig.describe('the text, and how it is cut into sequences'),
    objective: ObjectiveConfig.optional().describe('what is learned; next-token prediction unless given'),
    training: TrainingConfig,
  }),
  { embeddingStd: 'model.embeddingStd', evaluationBatches: 'data.maxValidationBatches' },
);
export type LanguageExperiment = z.output<typeof LanguageExperiment>;

/** Description of a language checkpoint; a `bpe` tokenizer is next to it as `tokenizer.json`. */
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

/** Pretrains a language backbone. */
export async function trainLanguage(experiment: LanguageExperiment, options: RunOptions): Promise<TrainingResult> {
  const { seed, training } = experiment;
  const { tokenizer, assets, stored } = packTokenizer(experiment.tokenizer, options.root);
  const dataset = openTextDataset(experiment.data, tokenizer, {
    cacheDir: options.cacheDir,
    baseDir: options.root,
    seed,
  });
  if (dataset.validation === undefined) {
    throw new ConfigError(
      'data: expected validationFiles or validationShare, got neither; perplexity needs text of its own',
    );
  }
  const { vocabSize } = tokenizer;
  options.output.line(`${dataset.numTokens} tokens in ${dataset.numDocuments} documents, vocabulary ${vocabSize}`);
  options.output.line(`${dataset.validation.numTokens} tokens for validation`);
  if (vocabSize > dataset.numTokens) {
    options.output.line(
      `warning: fewer tokens of text than the vocabulary has (${vocabSize}): most are never learned; train a smaller tokenizer or add text`,
    );
  }
  const language: LanguageConfig = { vocabSize, seqLen: dataset.seqLen, stack: experiment.model.stack };
  const tree = new ParameterTree(createLanguageParameters(language, seed, experiment.model.embeddingStd));
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
      signal: options.signal,
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

/** An objective over text as the training loop sees it. */
export function languageTask(
  tree: ParameterTree,
  language: LanguageConfig,
  dataset: Pick<TextDataset, 'batchAt' | 'validationBatches'>,
  {
    training,
    data,
    objective: config,
  }: Pick<LanguageExperiment, 'training' | 'objective'> & {
    readonly data: Pick<LanguageExperiment['data'], 'maxValidationBatches'>;
  },
): TrainingTask {
  const objective = createObjective(config);
  const batchAt = (index: number): TextBatch => dataset.batchAt(index, training.batchSize);
  return {
    parameters: tree,
    unit: 'tokens',
    loss: (index) => objective.loss({ tree, language, batch: batchAt(index) }),
    unitsIn: (index) => batchAt(index).numTokens,
    describeBatch: (index) => `text batch ${index}`,
    evaluate: async (check) => {
      let total = 0;
      let weights = 0;
      for (const batch of dataset.validationBatches(training.batchSize, data.maxValidationBatches)) {
        check();
        let weight = 0;
        const sum = tf.tidy(() => {
          const loss = objective.loss({ tree, language, batch });
          weight = loss.weight;
          return loss.sum;
        });
        total += await readScalar(sum);
        weights += weight;
      }
      return objective.metrics(total / weights);
    },
    selectBy: { metric: 'validation/loss', better: 'lower' },
  };
}
