import { growJointModel, grownReport, JOINT_KIND, MERGE_REPORT, readMergeReport } from '#fusion';
import { ANY_LANGUAGE_KIND, LANGUAGE_STACK } from '#language';
import { ConfigError } from '#src/errors';
import type { GrowthConfig } from '#src/stacks';
import { jsonText } from '#src/storage';

import { type Checkpoint, type GrownModelFile, growModel, readModel, readModelDescription } from '#src/training';
import { ANY_VISION_KIND, VISION_STACK } from '#vision';
import type { Backbone } from './functionChange.js';

/** A grown model, and the backbone that grew, before and after. */
export interface GrownCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly before: Backbone;
  readonly after: Backbone;
  /** AdamW's moments for the grown model; a TokenFormer's are still to be padded with zeros. */
  moments: GrownModelFile<unknown>['moments'];
}

/**
 * Reads a checkpoint of any kind and grows it.
 *
 * @param backbone of a merged model: which one grows
 * @throws ConfigError when the growth cannot be had, or it is not said which backbone grows
 */
export function grownCheckpoint(
  directory: string,
  growth: GrowthConfig,
  seed: number,
  backbone: 'vision' | 'language' | undefined,
): GrownCheckpoint {
  const { kind } = readModelDescription(directory);
  if (kind === 'fusion') {
    if (backbone === undefined) {
      throw new ConfigError('--backbone: expected vision or language, since this is a merged model');
    }
    return grownJointCheckpoint(directory, growth, seed, backbone);
  }
  if (backbone !== undefined && backbone !== kind) {
    throw new ConfigError(`--backbone: ${directory} is a ${kind} model; leave it out`);
  }
  if (kind === 'vision') {
    const { config, tensors, assets } = readModel(directory, ANY_VISION_KIND);
    const grown = growModel(ANY_VISION_KIND, VISION_STACK, { config, tensors }, growth, seed);
    return {
      checkpoint: { model: { kind, config: grown.config }, tensors: grown.tensors, assets },
      before: { kind, config: config.backbone, tensors },
      after: { kind, config: grown.config.backbone, tensors: grown.tensors },
      moments: grown.moments,
    };
  }
  const { config, tensors, assets } = readModel(directory, ANY_LANGUAGE_KIND);
  const grown = growModel(ANY_LANGUAGE_KIND, LANGUAGE_STACK, { config, tensors }, growth, seed);
  return {
    checkpoint: { model: { kind, config: grown.config }, tensors: grown.tensors, assets },
    before: { kind, config: config.backbone, tensors },
    after: { kind, config: grown.config.backbone, tensors: grown.tensors },
    moments: grown.moments,
  };
}

function grownJointCheckpoint(
  directory: string,
  growth: GrowthConfig,
  seed: number,
  backbone: 'vision' | 'language',
): GrownCheckpoint {
  const { config, tensors, assets } = readModel(directory, JOINT_KIND);
  const grown = growJointModel({ config, tensors }, backbone, growth, seed);
  const report = assets.has(MERGE_REPORT)
    ? grownReport(readMergeReport(directory), grown, tensors, { backbone, growth, seed })
    : undefined;
  const withReport = report ? new Map([...assets, [MERGE_REPORT, Buffer.from(jsonText(report))] as const]) : assets;
  const ofModel = (from: typeof grown | { config: typeof config; tensors: typeof tensors }): Backbone =>
    backbone === 'vision'
      ? { kind: 'vision', config: from.config.vision.backbone, tensors: from.tensors }
      : { kind: 'language', config: from.config.language.backbone, tensors: from.tensors };
  return {
    checkpoint: { model: { kind: 'fusion', config: grown.config }, tensors: grown.tensors, assets: withReport },
    before: ofModel({ config, tensors }),
    after: ofModel(grown),
    moments: grown.moments,
  };
}
