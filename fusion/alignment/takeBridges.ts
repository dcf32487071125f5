import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '#src/errors';
import {
  freeze,
  type InitFrom,
  initCheckpoint,
  type OptimizerStart,
  openCheckpointFolder,
  optimizerStart,
  readInitModel,
  readModelConfig,
} from '#src/training';
import { fusionParameters } from '../jointConfig.js';
import { JOINT_KIND } from '../jointKind.js';
import type { JointModel } from '../jointModel.js';

/**
 * Gives a merged model the bridges and gates of an alignment, and freezes what `initFrom.freeze` names. The backbones' configurations
 * must be equal; their parameters may be others.
 *
 * @returns what the optimizer starts with
 * @throws ConfigError when the alignment is one of backbones of another shape, or joins them another way
 */
export function takeBridges(model: JointModel, initFrom: InitFrom, root: string): OptimizerStart | undefined {
  const directory = initCheckpoint(initFrom, root);
  const { vision, language, fusion } = readModelConfig(openCheckpointFolder(directory), JOINT_KIND);
  const other = Object.entries({ vision: vision.backbone, language: language.backbone, fusion }).filter(
    ([key, config]) => !isDeepStrictEqual(config, key === 'fusion' ? model.config.fusion : backboneOf(model, key)),
  );
  if (other.length > 0) {
    throw new ConfigError(
      `initFrom: ${directory}: expected an alignment of the same backbones, merged by the same recipe; it has another ${other.map(([key]) => key).join(' and another ')}`,
    );
  }
  const isBridge = fusionParameters(model.config);
  const tensors = readInitModel(initFrom, root, JOINT_KIND).tensors;
  const bridges = new Map([...tensors].filter(([name]) => isBridge(name)));
  model.tree.assign(bridges);
  freeze(model.tree, initFrom.freeze);
  return optimizerStart(initFrom, root, bridges);
}

function backboneOf({ config }: JointModel, key: string): unknown {
  return key === 'vision' ? config.vision.backbone : config.language.backbone;
}
