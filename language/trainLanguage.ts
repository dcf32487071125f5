import { resolve } from 'node:path';
import { readScalar, tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { stackMultiplyAdds, stackSizes, trainingFlops } from '#src/stacks';
import { readBytes } from '#src/storage';
import { ParameterTree, usageHistograms } from '#src/tokenformer';
import {
  freeze,
  type GrownModel,
  lossOf,
  nestedTask,
  observedCount,
  type PreparedBatches,
  preparedBatches,
  type RunOptions,
  runGrowth,
  runTraining,
  type TrainingResult,
  type TrainingTask,
} from '#src/training';
import { openTextDataset, type TextBatch, type TextDataset } from './data/index.js';
import type { LanguageExperiment } from './experiment.js';
import { LANGUAGE_STACK } from './languageKind.js';
import { type AnyLanguageModelConfig, TOKENIZER_FILE } from './languageModelConfig.js';
import { languageStart } from './languageStart.js';
import { languageUsage } from './languageUsage.js';
import { createLanguageParameters } from './model/backbone.js';
import type { AnyLanguageConfig } from './model/config.js';
import { createObjective } from './objectives/index.js';
import { loadTokenizer, type Tokenizer, type TokenizerConfig } from './tokenizer/index.js';

/** Pretrains a language backbone. */
export async function trainLanguage(experiment: LanguageExperiment, options: RunOptions): Promise<TrainingResult> {
  const { seed, training } = experiment;
  const { tokenizer, assets, stored } = packTokenizer(experiment.tokenizer, options.root);
  const dataset = openLanguageData(experiment, tokenizer, options, (line) => options.output.line(line));
  const { vocabSize } = tokenizer;
  if (vocabSize > dataset.numTokens) {
    options.output.line(
      `warning: fewer tokens of text than the vocabulary has (${vocabSize}): most are never learned; train a smaller tokenizer or add text`,
    );
  }
  const config: AnyLanguageModelConfig = {
    backbone: { vocabSize, seqLen: dataset.seqLen, stack: experiment.model.stack },
    tokenizer: stored,
    tokenizerFingerprint: tokenizer.fingerprint,
  };
  const stacks = stackSizes(config.backbone.stack, training.stages);
  const tree = new ParameterTree();
  const batches = textBatches(experiment, dataset);
  const modelAt = (size: number): GrownModel => {
    const backbone = { ...config.backbone, stack: stacks[size] };
    return {
      stack: backbone.stack,
      task: () =>
        nestedTask(backbone.stack, training.nested, seed, (stack) =>
          languageTask(tree, { ...backbone, stack }, dataset, experiment, batches),
        ),
      model: { kind: 'language', config: { ...config, backbone } },
      fresh: (initSeed) => createLanguageParameters(backbone, initSeed, experiment.model.embeddingStd),
    };
  };
  const initial = modelAt(0);
  try {
    const { tensors, ...start } = languageStart(experiment, config, initial.fresh, options.root);
    tree.add(tensors);
    freeze(tree, experiment.initFrom?.freeze);
    return await runTraining({
      task: initial.task(),
      model: initial.model,
      ...start,
      growth: runGrowth(training.stages ?? [], LANGUAGE_STACK, seed, modelAt),
      config: training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      settings: experiment.model,
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

/**
 * Opens the text of an experiment.
 *
 * @param note receives how much there is
 * @throws ConfigError when nothing of it is held out
 */
export function openLanguageData(
  { data, seed }: Pick<LanguageExperiment, 'data' | 'seed'>,
  tokenizer: Tokenizer,
  { cacheDir, root }: Pick<RunOptions, 'cacheDir' | 'root'>,
  note?: (line: string) => void,
): TextDataset & { readonly validation: NonNullable<TextDataset['validation']> } {
  const dataset = openTextDataset(data, tokenizer, { cacheDir, baseDir: root, seed });
  const { validation } = dataset;
  if (validation === undefined) {
    throw new ConfigError(
      'data: expected validationFiles or validationShare, got neither; perplexity needs text of its own',
    );
  }
  note?.(`${dataset.numTokens} tokens in ${dataset.numDocuments} documents, vocabulary ${tokenizer.vocabSize}`);
  note?.(`${validation.numTokens} tokens for validation`);
  return { ...dataset, validation };
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

/** What a task takes from an experiment. */
type LanguageTaskKeys = Pick<LanguageExperiment, 'training' | 'objective'> & {
  readonly data: Pick<LanguageExperiment['data'], 'maxValidationBatches'>;
};

function textBatches(
  { training: { batchSize } }: LanguageTaskKeys,
  dataset: Pick<TextDataset, 'batchAt'>,
): PreparedBatches<TextBatch> {
  return preparedBatches((index) => dataset.batchAt(index, batchSize));
}

/**
 * An objective over text as the training loop sees it.
 *
 * @param batches that tasks over the same text share
 */
export function languageTask(
  tree: ParameterTree,
  language: AnyLanguageConfig,
  dataset: Pick<TextDataset, 'batchAt' | 'validationBatches'>,
  experiment: LanguageTaskKeys,
  batches = textBatches(experiment, dataset),
): TrainingTask {
  const { training, data } = experiment;
  const objective = createObjective(experiment.objective);
  const computation = (index: number) => objective.computation({ tree, language, batch: batches.at(index) });
  return {
    parameters: tree,
    unit: 'tokens',
    prepare: batches.prepare,
    loss: (index) => lossOf(computation(index)),
    computation,
    unitsIn: (index) => batches.at(index).numTokens,
    flopsIn: (index) => {
      const { batch, seqLen } = batches.at(index);
      const { stack, vocabSize } = language;
      // Padding is computed like text. The output is tied to the embedding: a product with it for every position.
      return trainingFlops(batch * (stackMultiplyAdds(stack, seqLen, 'causal') + seqLen * stack.dModel * vocabSize));
    },
    describeBatch: (index) => `text batch ${index}`,
    evaluate: async (check) => {
      let total = 0;
      let weights = 0;
      for (const batch of dataset.validationBatches(training.batchSize, data.maxValidationBatches)) {
        check();
        let weight = 0;
        const sum = tf.tidy(() => {
          const loss = lossOf(objective.computation({ tree, language, batch }));
          weight = loss.weight;
          return loss.sum;
        });
        total += await readScalar(sum);
        weights += weight;
      }
      return objective.metrics(total / weights);
    },
    ...observed(tree, language, dataset, observedCount(training)),
    selectBy: { metric: 'validation/loss', better: 'lower' },
  };
}

/** Histograms of the use of parameter tokens, where there are some. */
function observed(
  tree: ParameterTree,
  { stack, ...language }: AnyLanguageConfig,
  dataset: Pick<TextDataset, 'validationBatches'>,
  count: number,
): Pick<TrainingTask, 'observe'> {
  if (stack.kind === 'transformer') return {};
  return {
    observe: async () => ({
      histograms: usageHistograms(
        await languageUsage(tree, { ...language, stack }, dataset.validationBatches(count, 1)),
      ),
    }),
  };
}
