import { LANGUAGE_GROUP, LANGUAGE_KIND, languageNames } from '#language';
import { backboneSha256, type TaskGroup } from '#src/groups';
import type { HostTensor } from '#src/storage';
import type { TokenFormerConfig } from '#src/tokenformer';
import { findCheckpoint, readModel, readModelDescription } from '#src/training';
import { VISION_GROUP, VISION_KIND, visionNames } from '#vision';
import type { JointModelConfig } from './jointConfig.js';
import { JOINT_KIND } from './jointKind.js';

/** A backbone of a stored model, as group files name it. */
export interface ModelBackbone {
  readonly backbone: TaskGroup['backbone'];
  readonly sha256: string;
  readonly stack: TokenFormerConfig;
}

/**
 * The backbones of a model on disk: one, or both of a merged model.
 *
 * @param path a run directory or a checkpoint folder
 */
export function modelBackbones(path: string): ModelBackbone[] {
  const directory = findCheckpoint(path);
  const { kind } = readModelDescription(directory);
  if (kind === 'fusion') {
    const { config, tensors } = readModel(directory, JOINT_KIND);
    return [visionBackbone(config.vision, tensors), languageBackbone(config.language, tensors)];
  }
  if (kind === 'vision') {
    const { config, tensors } = readModel(directory, VISION_KIND);
    return [visionBackbone(config, tensors)];
  }
  const { config, tensors } = readModel(directory, LANGUAGE_KIND);
  return [languageBackbone(config, tensors)];
}

export function visionBackbone(
  { backbone }: Pick<JointModelConfig['vision'], 'backbone'>,
  tensors: ReadonlyMap<string, HostTensor>,
): ModelBackbone {
  return { backbone: VISION_GROUP, sha256: backboneSha256(visionNames(backbone), tensors), stack: backbone.stack };
}

export function languageBackbone(
  { backbone }: Pick<JointModelConfig['language'], 'backbone'>,
  tensors: ReadonlyMap<string, HostTensor>,
): ModelBackbone {
  return { backbone: LANGUAGE_GROUP, sha256: backboneSha256(languageNames(backbone), tensors), stack: backbone.stack };
}
