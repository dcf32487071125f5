import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  LANGUAGE_GROUP,
  LANGUAGE_KIND,
  LanguageExperiment,
  languageTask,
  languageUsage,
  loadCheckpointTokenizer,
  openLanguageData,
  useVocabulary,
} from '#language';
import { parseFile } from '#src/config';
import { UserError } from '#src/errors';
import { type HostTensor, readJson } from '#src/storage';
import {
  ParameterTree,
  type ParamTokenUsage,
  prefixParameters,
  type Shrinkage,
  shrinkParameters,
  shrunkStack,
  type TokenFormerConfig,
} from '#src/tokenformer';
import {
  type Checkpoint,
  findCheckpoint,
  RUN_CONFIG,
  readModel,
  readModelDescription,
  type TrainingTask,
} from '#src/training';
import {
  createObjective,
  openVisionData,
  VISION_GROUP,
  VISION_KIND,
  VisionExperiment,
  visionTask,
  visionUsage,
} from '#vision';

/** A run with fewer parameter tokens, and what that costs. */
export interface ShrunkRun {
  readonly checkpoint: Checkpoint;
  readonly parameters: { readonly before: number; readonly after: number };
  /** Validation metrics of the run's experiment. */
  readonly metrics: { readonly before: Record<string, number>; readonly after: Record<string, number> };
  /** The metric that chose the run's best checkpoint. */
  readonly metric: string;
}

export interface ShrinkOptions {
  readonly root: string;
  readonly cacheDir: string;
  /** Batches of training data on which the use of the tokens is measured. */
  readonly batches: number;
}

/** Drops parameter tokens of a run that trained a vision or a language backbone. */
export async function shrinkRun(runDir: string, shrinkage: Shrinkage, options: ShrinkOptions): Promise<ShrunkRun> {
  const directory = findCheckpoint(runDir);
  const { kind } = readModelDescription(directory);
  if (kind === 'fusion') {
    throw new UserError(
      `${directory}: expected a vision or language model, got a merged one; shrink its backbones before the merge`,
    );
  }
  const path = join(runDir, RUN_CONFIG);
  if (!existsSync(path)) {
    throw new UserError(
      `${runDir}: expected a run directory with ${RUN_CONFIG}, whose data tells which parameter tokens are used; got none`,
    );
  }
  const experiment = readJson(path, 'run configuration');
  return kind === 'vision'
    ? shrinkVision(directory, parseFile(VisionExperiment, experiment, path), shrinkage, options)
    : shrinkLanguage(directory, parseFile(LanguageExperiment, experiment, path), shrinkage, options);
}

async function shrinkLanguage(
  directory: string,
  experiment: LanguageExperiment,
  shrinkage: Shrinkage,
  options: ShrinkOptions,
): Promise<ShrunkRun> {
  const { config, tensors, assets } = readModel(directory, LANGUAGE_KIND);
  const { backbone } = config;
  const smaller = { ...config, backbone: { ...backbone, stack: shrunkStack(backbone.stack, shrinkage) } };
  const tokenizer = loadCheckpointTokenizer(directory, config);
  const dataset = openLanguageData(experiment, tokenizer, options);
  try {
    return await shrunk({
      checkpoint: { model: { kind: 'language', config: smaller }, tensors, assets },
      prepare: (tree) => useVocabulary(tree, tokenizer.vocabSize),
      before: (tree) => languageTask(tree, backbone, dataset, experiment),
      after: (tree) => languageTask(tree, smaller.backbone, dataset, experiment),
      smaller: (tree) =>
        smallerParameters(tensors, shrinkage, smaller.backbone.stack, LANGUAGE_GROUP, () =>
          languageUsage(
            tree,
            backbone,
            counted(options.batches, (index) => dataset.batchAt(index, experiment.training.batchSize)),
          ),
        ),
    });
  } finally {
    dataset.dispose();
    tokenizer.dispose();
  }
}

async function shrinkVision(
  directory: string,
  experiment: VisionExperiment,
  shrinkage: Shrinkage,
  options: ShrinkOptions,
): Promise<ShrunkRun> {
  const { config, tensors, assets } = readModel(directory, VISION_KIND);
  const { backbone } = config;
  const smaller = { ...config, backbone: { ...backbone, stack: shrunkStack(backbone.stack, shrinkage) } };
  const { train, validation } = await openVisionData(experiment, options);
  const { seed, data, training } = experiment;
  const task = (tree: ParameterTree, model: typeof backbone): TrainingTask => {
    const objectives = experiment.objectives.map((objective) => createObjective(objective, model, train, seed));
    return visionTask(tree, { ...experiment, model }, objectives, train, validation);
  };
  const batchOptions = { batchSize: training.batchSize, seed, augment: data.augment };
  try {
    return await shrunk({
      checkpoint: { model: { kind: 'vision', config: smaller }, tensors, assets },
      before: (tree) => task(tree, backbone),
      after: (tree) => task(tree, smaller.backbone),
      smaller: (tree) =>
        smallerParameters(tensors, shrinkage, smaller.backbone.stack, VISION_GROUP, () =>
          visionUsage(
            tree,
            backbone,
            counted(options.batches, (index) => train.batchAt(index, batchOptions)),
          ),
        ),
    });
  } finally {
    train.close();
    validation.close();
  }
}

/**
 * The parameters that are left.
 *
 * @param usage measures how much each token is used; a prefix does not ask
 */
async function smallerParameters(
  tensors: ReadonlyMap<string, HostTensor>,
  shrinkage: Shrinkage,
  to: TokenFormerConfig,
  groupName: string,
  usage: () => Promise<ParamTokenUsage[]>,
): Promise<Map<string, HostTensor>> {
  if ('prefix' in shrinkage) return prefixParameters(tensors, to, groupName);
  return shrinkParameters(tensors, await usage(), to, groupName);
}

interface Shrinking {
  /** The trained tensors under the configuration of the smaller model. */
  readonly checkpoint: Checkpoint;
  readonly prepare?: (tree: ParameterTree) => void;
  readonly before: (tree: ParameterTree) => TrainingTask;
  readonly after: (tree: ParameterTree) => TrainingTask;
  readonly smaller: (tree: ParameterTree) => Promise<Map<string, HostTensor>>;
}

async function shrunk({ checkpoint, prepare, before, after, smaller }: Shrinking): Promise<ShrunkRun> {
  const tree = new ParameterTree(checkpoint.tensors);
  prepare?.(tree);
  try {
    const task = before(tree);
    const metricsBefore = await evaluated(task);
    const [countBefore, tensors] = [tree.countParameters(), await smaller(tree)];
    tree.replace(tensors);
    const metricsAfter = await evaluated(after(tree));
    return {
      checkpoint: { ...checkpoint, tensors },
      parameters: { before: countBefore, after: tree.countParameters() },
      metrics: { before: metricsBefore, after: metricsAfter },
      metric: task.selectBy.metric,
    };
  } finally {
    tree.dispose();
  }
}

async function evaluated(task: TrainingTask): Promise<Record<string, number>> {
  try {
    return await task.evaluate(() => undefined);
  } finally {
    task.teacher?.dispose();
  }
}

function* counted<T>(count: number, at: (index: number) => T): Iterable<T> {
  for (let index = 0; index < count; index++) yield at(index);
}
