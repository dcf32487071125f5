import { resolve } from 'node:path';
import { type InputArray, inputTensor, tf } from '#src/engine';
import { forwardFlops, stackSizes, trainingFlops } from '#src/stacks';
import { ParameterTree, usageHistograms } from '#src/tokenformer';
import {
  type BatchComputation,
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
import type { ImageBatch, ImageDataset } from './data/index.js';
import type { VisionExperiment } from './experiment.js';
import { type VisionStates, visionForward } from './model/backbone.js';
import { type AnyVisionConfig, imageMultiplyAdds } from './model/config.js';
import { createObjectives, type Objective, type ObjectiveInput, openTeachers, type Tally } from './objectives/index.js';
import { openTrainingImages } from './visionData.js';
import { VISION_STACK } from './visionKind.js';
import type { AnyVisionModelConfig } from './visionModelConfig.js';
import { newVisionParameters } from './visionParameters.js';
import { visionStart } from './visionStart.js';
import { visionUsage } from './visionUsage.js';

/** Pretrains a vision backbone: opens the data, builds the objectives, trains. */
export async function trainVision(experiment: VisionExperiment, options: RunOptions): Promise<TrainingResult> {
  const { model, data, objectives: configs, seed, training } = experiment;
  const { train, validation, labels } = await openTrainingImages(experiment, options);
  const { resize, background } = data.train;
  const config: AnyVisionModelConfig = {
    backbone: model,
    preprocessing: { resize, background },
    objectives: configs,
    labels,
  };
  const stacks = stackSizes(model.stack, training.stages);
  const objectivesOf = (backbone: AnyVisionConfig): Objective[] => createObjectives(configs, backbone, train, seed);
  const tree = new ParameterTree();
  const batches = imageBatches(experiment, train);
  const modelAt = (size: number): GrownModel => {
    const backbone = { ...model, stack: stacks[size] };
    const objectives = objectivesOf(backbone);
    const taskOf = (stack: AnyVisionConfig['stack']): TrainingTask => {
      const part = { ...backbone, stack };
      return visionTask(tree, { ...experiment, model: part }, objectivesOf(part), train, validation, batches);
    };
    return {
      stack: backbone.stack,
      task: () => nestedTask(backbone.stack, training.nested, seed, taskOf),
      model: { kind: 'vision', config: { ...config, backbone } },
      fresh: (initSeed) => newVisionParameters(backbone, objectives, initSeed),
    };
  };
  const initial = modelAt(0);
  let task: TrainingTask | undefined;
  try {
    const { tensors, ...start } = visionStart(experiment, config, initial.fresh, options);
    tree.add(tensors);
    freeze(tree, experiment.initFrom?.freeze);
    task = initial.task();
    return await runTraining({
      task,
      model: initial.model,
      ...start,
      growth: runGrowth(training.stages ?? [], VISION_STACK, seed, modelAt),
      config: training,
      seed,
      runDir: resolve(options.runDir),
      label: experiment.name,
      settings: experiment.model,
      assets: new Map(),
      resume: options.resume,
      output: options.output,
      signal: options.signal,
    });
  } finally {
    task?.teacher?.dispose();
    tree.dispose();
    train.close();
    validation.close();
  }
}

/** What a task takes from an experiment. */
type VisionTaskKeys = Pick<VisionExperiment, 'model' | 'training' | 'seed'> & {
  readonly data: Pick<VisionExperiment['data'], 'augment' | 'maxValidationImages'>;
};

/** Two buffers for all batches: allocating megabytes for each made V8 collect garbage every few steps. */
function imageBatches(
  { training: { batchSize }, data: { augment }, seed, model: { imageSize } }: VisionTaskKeys,
  train: Pick<ImageDataset, 'batchAt'>,
): PreparedBatches<ImageBatch> {
  const buffers = [0, 1].map(() => new Float32Array(batchSize * imageSize ** 2 * 3));
  return preparedBatches((index, slot) => train.batchAt(index, { batchSize, seed, augment, into: buffers[slot] }));
}

/**
 * The weighted sum of objectives over images, as the training loop sees it. Teachers start as the parameters are now.
 *
 * @param batches that tasks over the same data share
 */
export function visionTask(
  tree: ParameterTree,
  experiment: VisionTaskKeys,
  objectives: readonly Objective[],
  train: Pick<ImageDataset, 'batchAt' | 'paths'>,
  validation: Pick<ImageDataset, 'validationBatches'>,
  batches = imageBatches(experiment, train),
): TrainingTask {
  const { model, data, training } = experiment;
  const teacher = openTeachers(objectives, tree, training.steps);
  const pixelsOf = ({ pixelValues, batch }: ImageBatch): InputArray => ({
    values: pixelValues,
    shape: [batch, model.imageSize, model.imageSize, 3],
  });
  const inputOf = (batch: ImageBatch, streamId: string, pixels = inputTensor(pixelsOf(batch))) => {
    const pixelValues = pixels as tf.Tensor4D;
    let states: VisionStates | undefined;
    const forward = (): VisionStates => {
      states ??= visionForward(tree, model, pixelValues);
      return states;
    };
    return { tree, batch, pixelValues, states: forward, streamId };
  };
  type Input = ReturnType<typeof inputOf>;
  const taught = (objective: Objective, input: Input): ObjectiveInput => ({
    ...input,
    teacher: teacher?.of(objective),
  });
  /** @param targets of each objective; made of the batch unless given */
  const weightedLoss = (input: Input, targets?: readonly (readonly tf.Tensor[] | undefined)[]): tf.Scalar =>
    tf.addN(
      objectives.map((objective, i) =>
        tf.mul(objective.loss({ ...taught(objective, input), targets: targets?.[i] }), objective.weight),
      ),
    ) as tf.Scalar;
  const computation = (index: number): BatchComputation => {
    const batch = batches.at(index);
    const targets = objectives.map((objective) => objective.targets?.(batch));
    return {
      arrays: [pixelsOf(batch), ...targets.flatMap((arrays) => arrays ?? [])],
      weight: training.batchSize,
      sum: ([pixels, ...others]) => {
        const ofEach = targets.map((arrays) => arrays && others.splice(0, arrays.length));
        return weightedLoss(inputOf(batch, `train/${index}`, pixels), ofEach);
      },
    };
  };
  /** Whether all batches are computed alike. */
  const isRepeatable = teacher === undefined && objectives.every(({ targets }) => targets !== undefined);
  const shared = objectives.some(({ seesWholeImages }) => seesWholeImages) ? imageMultiplyAdds(model) : 0;
  const perImage = objectives.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, shared);
  const ofTeachers = objectives.reduce((sum, objective) => sum + (objective.teacher?.multiplyAdds ?? 0), 0);

  return {
    parameters: tree,
    teacher,
    unit: 'images',
    prepare: batches.prepare,
    loss: (index) => lossOf(computation(index)),
    ...(isRepeatable && { computation }),
    unitsIn: () => training.batchSize,
    flopsIn: () => trainingFlops(training.batchSize * perImage) + forwardFlops(training.batchSize * ofTeachers),
    describeBatch: (index) => {
      const names = [...batches.at(index).indices].slice(0, 4).map((i) => train.paths[i]);
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
          for (const objective of objectives)
            tallies.push(...Object.entries(objective.measure(taught(objective, input))));
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
    ...observed(tree, model, validation, observedCount(training)),
    // A teacher moves: losses against what it says at different steps are not comparable.
    selectBy: { metric: 'validation/loss', better: teacher ? 'later' : 'lower' },
  };
}

/** Histograms of the use of parameter tokens, where there are some. */
function observed(
  tree: ParameterTree,
  { stack, ...vision }: AnyVisionConfig,
  validation: Pick<ImageDataset, 'validationBatches'>,
  count: number,
): Pick<TrainingTask, 'observe'> {
  if (stack.kind === 'transformer') return {};
  return {
    observe: async () => ({
      histograms: usageHistograms(
        await visionUsage(tree, { ...vision, stack }, validation.validationBatches(count, count)),
      ),
    }),
  };
}
