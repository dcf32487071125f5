import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '#src/errors';
import { startProblems } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import { growParameters } from '#src/tokenformer';
import {
  costBefore,
  type GrownModel,
  growthSeed,
  initCheckpoint,
  openCheckpointFolder,
  optimizerStart,
  type RunOptions,
  readInitModel,
  readModelConfig,
  rowCounts,
  type TrainingRun,
} from '#src/training';
import type { VisionExperiment } from './experiment.js';
import { createVisionParameters, VISION_GROUP } from './model/backbone.js';
import { ANY_VISION_KIND } from './visionKind.js';
import type { AnyVisionModelConfig } from './visionModelConfig.js';

/**
 * The parameters that training starts with: random ones, or those that `initFrom` names, grown to the size of `model`. What belongs to
 * the objectives is taken over where objectives and labels are the same, and random otherwise.
 *
 * @param fresh random parameters of the experiment's model
 * @throws ConfigError when the trained model cannot become that of the experiment: another shape
 */
export function visionStart(
  { seed, initFrom }: Pick<VisionExperiment, 'seed' | 'initFrom'>,
  { backbone, objectives, labels }: AnyVisionModelConfig,
  fresh: GrownModel['fresh'],
  { root, output }: Pick<RunOptions, 'root' | 'output'>,
): Pick<TrainingRun, 'oldRows' | 'optimizerStart' | 'costBefore'> & {
  readonly tensors: ReadonlyMap<string, HostTensor>;
} {
  if (initFrom === undefined) return { tensors: fresh(seed) };
  const directory = initCheckpoint(initFrom, root);
  const trained = readModelConfig(openCheckpointFolder(directory), ANY_VISION_KIND);
  const problems = startProblems(trained.backbone.stack, backbone.stack, initFrom.policy);
  for (const key of ['imageSize', 'patchSize', 'pooling'] as const) {
    if (trained.backbone[key] !== backbone[key])
      problems.push(`model.${key}: expected ${trained.backbone[key]}, as in ${directory}, got ${backbone[key]}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const all = readInitModel(initFrom, root, ANY_VISION_KIND).tensors;
  const isSameTask = isDeepStrictEqual([trained.objectives, trained.labels], [objectives, labels]);
  if (!isSameTask) output.line('other objectives or labels than in initFrom: their parameters start at random');
  const ofBackbone = createVisionParameters(trained.backbone, 0);
  const tensors = new Map([...all].filter(([name]) => isSameTask || ofBackbone.has(name)));
  return {
    tensors: growParameters(tensors, fresh(growthSeed(seed, 0)), VISION_GROUP, initFrom.policy),
    oldRows: rowCounts(tensors),
    costBefore: costBefore(initFrom, root),
    optimizerStart: optimizerStart(initFrom, root, tensors),
  };
}
