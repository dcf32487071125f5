import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ConfigError } from '#src/errors';
import { runTuning, type TuneResult, type Tuning, tunedStack } from '#src/groups';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, type RunOptions, readModel } from '#src/training';
import { VisionExperiment } from './experiment.js';
import { VISION_GROUP } from './model/backbone.js';
import { createObjectives } from './objectives/index.js';
import { visionTask } from './trainVision.js';
import { openTrainingImages } from './visionData.js';
import { visionNames } from './visionGroups.js';
import { newVisionHead } from './visionHead.js';
import { VISION_KIND } from './visionKind.js';
import type { VisionModelConfig } from './visionModelConfig.js';

/** What a vision backbone is tuned on. */
export const VisionTuning = z.strictObject({
  data: VisionExperiment.shape.data,
  objectives: VisionExperiment.shape.objectives,
});
export type VisionTuning = z.output<typeof VisionTuning>;

/**
 * Tunes a vision backbone on images. The task has a head of its own, which starts as the model's where that predicts the same.
 *
 * @param path of the backbone: a run directory or a checkpoint folder
 */
export async function tuneVision(
  path: string,
  given: VisionTuning,
  tuning: Tuning,
  options: RunOptions,
): Promise<TuneResult> {
  const { config, tensors, assets } = readModel(findCheckpoint(path), VISION_KIND);
  const { backbone, preprocessing } = config;
  refuseOtherPreprocessing(given, preprocessing);
  const { stack, parameters } = tunedStack(VISION_GROUP, backbone.stack, tuning);
  const { train, validation, labels } = await openTrainingImages({ ...given, model: backbone }, options);
  const { objectives: configs } = given;
  const tunedBackbone = { ...backbone, stack };
  // Objectives that run the backbone themselves, on patches or crops, must find the group there.
  const objectives = createObjectives(configs, tunedBackbone, train, tuning.seed);
  const description = { objectives: configs, labels };
  const formerHead = { objectives: config.objectives, labels: config.labels };
  const head = isDeepStrictEqual(description, formerHead)
    ? new Map([...tensors].filter(([name]) => newVisionHead(formerHead, backbone, 0).has(name)))
    : newVisionHead(description, backbone, tuning.seed);
  const names = visionNames(backbone);
  const own = new Set(names);
  const tree = new ParameterTree(new Map([...[...tensors].filter(([name]) => own.has(name)), ...parameters, ...head]));
  const tuned: VisionModelConfig = { ...config, ...description, backbone: tunedBackbone };
  const { data } = given;
  const { training, seed } = tuning;
  const experiment = { model: tunedBackbone, data, training, seed };
  const task = visionTask(tree, experiment, objectives, train, validation);
  try {
    return await runTuning(
      {
        ...{ modelKind: VISION_KIND, backbone: VISION_GROUP, config: tuned, assets, names, group: parameters },
        head: { description, parameters: head },
        task,
      },
      tuning,
      options,
    );
  } finally {
    task.teacher?.dispose();
    tree.dispose();
    train.close();
    validation.close();
  }
}

/** A backbone sees images as its own training prepared them. */
function refuseOtherPreprocessing({ data }: VisionTuning, trained: VisionModelConfig['preprocessing']): void {
  const sources = { train: data.train, ...(data.validation && { validation: data.validation }) };
  for (const [part, { resize, background }] of Object.entries(sources)) {
    if (isDeepStrictEqual({ resize, background }, { ...trained })) continue;
    throw new ConfigError(
      `vision.data.${part}: expected resize ${trained.resize} with background [${trained.background}], as the backbone was trained, got ${resize} with [${background}]`,
    );
  }
}
