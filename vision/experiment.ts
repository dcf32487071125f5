import { resolve } from 'node:path';
import { z } from 'zod';
import { formerKeys, renamedKey } from '#src/config';
import { namePassedOver } from '#src/data';
import { tf } from '#src/engine';
import { UserError } from '#src/errors';
import { ParameterTree } from '#src/tokenformer';
import { type RunOptions, runTraining, TrainingConfig, type TrainingResult, type TrainingTask } from '#src/training';
import { checkLabels } from './checkLabels.js';
import {
  AugmentConfig,
  checkAugment,
  type ImageBatch,
  ImageDataConfig,
  type ImageDataset,
  type LabelNames,
  openImageDataset,
  Preprocessing,
} from './data/index.js';
import { type VisionStates, visionForward } from './model/backbone.js';
import { VisionConfig } from './model/config.js';
import { createObjective, type Objective, ObjectiveConfig, requiredLabels, type Tally } from './objectives/index.js';
import { newVisionParameters } from './visionParameters.js';

/** An experiment file that pretrains a vision backbone; paths start at the working root. */
export const VisionExperiment = z.strictObject({
  kind: z.literal('vision'),
  name: z.string().min(1).describe('name of the run, and of its folder under --root'),
  seed: z.int().default(0).describe('draws the parameters and the order of the images'),
  model: VisionConfig.describe('the backbone'),
  objectives: z.array(ObjectiveConfig).min(1).describe('what the backbone learns to predict; their losses are added'),
  data: formerKeys(
    z.strictObject({
      train: ImageDataConfig.describe('the images to learn from'),
      validation: ImageDataConfig.optional().describe(
        "images for validation, labelled as train's; unless given, the validationShare of train",
      ),
      augment: AugmentConfig.optional().describe('random changes to training images; none unless given'),
      maxValidationImages: z.int().positive().default(1000).describe('most images to read in each validation'),
    }),
    { evaluationImages: 'maxValidationImages' },
  ).describe('the images'),
  training: TrainingConfig,
});
export type VisionExperiment = z.output<typeof VisionExperiment>;

/** Description of a vision checkpoint. */
export const VisionModelConfig = renamedKey(
  'vision',
  'backbone',
  z.strictObject({
    backbone: VisionConfig,
    /** How images were made square; images to caption are prepared the same way. */
    preprocessing: Preprocessing.prefault({}),
    objectives: z.array(ObjectiveConfig),
    labels: z.strictObject({
      classNames: z.array(z.string()).optional(),
      attributeNames: z.array(z.string()).optional(),
      grid: z
        .strictObject({
          rows: z.int(),
          cols: z.int(),
          attributes: z.array(z.strictObject({ name: z.string(), values: z.array(z.string()) })),
        })
        .optional(),
    }),
  }),
);
export type VisionModelConfig = z.output<typeof VisionModelConfig>;

/** Pretrains a vision backbone: opens the data, builds the objectives, trains. */
export async function trainVision(experiment: VisionExperiment, options: RunOptions): Promise<TrainingResult> {
  const { model, data, objectives: configs, seed } = experiment;
  const order = ['none', 'class', 'attributes', 'grid'] as const;
  const requirement = order[Math.max(...configs.map((config) => order.indexOf(requiredLabels(config))))];
  const open = (config: ImageDataConfig, split: 'train' | 'validation', like?: LabelNames): Promise<ImageDataset> =>
    openImageDataset(config, {
      // Both sides of a split are of one folder, which is described once.
      note: split === 'train' ? (line) => options.output.line(line) : undefined,
      baseDir: options.root,
      cacheDir: options.cacheDir,
      imageSize: model.imageSize,
      requirement,
      split,
      like,
    });
  const train = await open(data.train, 'train');
  const validation = data.validation
    ? await open(data.validation, 'train', train)
    : await open(data.train, 'validation', train);
  for (const { broken } of data.validation ? [train, validation] : [train]) {
    if (broken.length === 0) continue;
    const named = namePassedOver(broken.map(({ path, reason }) => ({ name: path, reason })));
    options.output.line(`${broken.length} broken image${broken.length === 1 ? '' : 's'} left out: ${named}`);
  }
  if (data.augment) checkAugment(data.augment, train);
  for (const line of checkLabels(configs, train)) options.output.line(line);
  options.output.line(`${train.size} training images, ${validation.size} for validation`);

  const labels: VisionModelConfig['labels'] = JSON.parse(
    JSON.stringify({ classNames: train.classNames, attributeNames: train.attributeNames, grid: train.grid }),
  );
  const objectives = configs.map((config) => createObjective(config, model, train, seed));
  const duplicate = objectives.find(({ name }, i) => objectives.findIndex((other) => other.name === name) !== i);
  if (duplicate) throw new UserError(`objectives: expected each once, got '${duplicate.name}' twice`);
  const tree = new ParameterTree(newVisionParameters(model, objectives, seed));
  const task = visionTask(tree, experiment, objectives, train, validation);
  const { resize, background } = data.train;
  const modelConfig: VisionModelConfig = {
    backbone: model,
    preprocessing: { resize, background },
    objectives: configs,
    labels,
  };
  try {
    return await runTraining({
      task,
      config: experiment.training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      model: { kind: 'vision', config: modelConfig },
      assets: new Map(),
      resume: options.resume,
      output: options.output,
      signal: options.signal,
    });
  } finally {
    tree.dispose();
    train.close();
    validation.close();
  }
}

/** The weighted sum of objectives over images, as the training loop sees it. */
export function visionTask(
  tree: ParameterTree,
  {
    model,
    data,
    training,
    seed,
  }: Pick<VisionExperiment, 'model' | 'training' | 'seed'> & {
    readonly data: Pick<VisionExperiment['data'], 'augment' | 'maxValidationImages'>;
  },
  objectives: readonly Objective[],
  train: Pick<ImageDataset, 'batchAt' | 'paths'>,
  validation: Pick<ImageDataset, 'validationBatches'>,
): TrainingTask {
  const inputOf = (batch: ImageBatch, streamId: string) => {
    const { imageSize } = model;
    const pixelValues = tf.tensor4d(batch.pixelValues, [batch.batch, imageSize, imageSize, 3]);
    let states: VisionStates | undefined;
    const forward = (): VisionStates => {
      states ??= visionForward(tree, model, pixelValues);
      return states;
    };
    return { tree, batch, pixelValues, states: forward, streamId };
  };
  const weightedLoss = (input: ReturnType<typeof inputOf>): tf.Scalar =>
    tf.addN(objectives.map((objective) => tf.mul(objective.loss(input), objective.weight))) as tf.Scalar;
  const options = { batchSize: training.batchSize, seed, augment: data.augment };
  // One buffer for all batches: allocating megabytes for each made V8 collect garbage every few steps.
  const into = new Float32Array(training.batchSize * model.imageSize ** 2 * 3);

  return {
    parameters: tree,
    unit: 'images',
    loss: (index) => ({
      sum: weightedLoss(inputOf(train.batchAt(index, { ...options, into }), `train/${index}`)),
      weight: training.batchSize,
    }),
    unitsIn: () => training.batchSize,
    describeBatch: (index) => {
      const names = [...train.batchAt(index, options).indices].slice(0, 4).map((i) => train.paths[i]);
      return `images ${names.join(', ')}, …`;
    },
    evaluate: async (check) => {
      const totals = new Map<string, { sum: number; count: number }>();
      let index = 0;
      for (const batch of validation.validationBatches(training.batchSize, data.maxValidationImages)) {
        check();
        const names: string[] = [];
        const numbers = tf.tidy(() => {
          const input = inputOf(batch, `validation/${index++}`);
          const tallies: [string, Tally][] = [['loss', { sum: weightedLoss(input), count: batch.batch }]];
          for (const objective of objectives) tallies.push(...Object.entries(objective.measure(input)));
          names.push(...tallies.map(([name]) => name));
          return tf.stack(
            tallies.flatMap(([, { sum, count }]) => [sum, typeof count === 'number' ? tf.scalar(count) : count]),
          );
        });
        const values = await numbers.data();
        numbers.dispose();
        for (const [i, name] of names.entries()) {
          const before = totals.get(name) ?? { sum: 0, count: 0 };
          totals.set(name, { sum: before.sum + values[2 * i], count: before.count + values[2 * i + 1] });
        }
      }
      return Object.fromEntries(
        [...totals].map(([name, { sum, count }]) => [`validation/${name}`, sum / Math.max(1, count)]),
      );
    },
    selectBy: { metric: 'validation/loss', better: 'lower' },
  };
}
