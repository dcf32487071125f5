import { languageBlocks } from '#language';
import type { BlockLayers } from '#src/tokenformer';
import { visionBlocks } from '#vision';
import type { FusionOptions, JointModel } from './jointModel.js';

/** The image stream's blocks: the vision backbone's own, unless the method changes the backbones. */
export function imageBlocks(model: JointModel): BlockLayers[] {
  const { method } = model;
  if (method.changesBackbones && method.imageBlocks) return method.imageBlocks(model);
  return visionBlocks(model.tree, model.config.vision.backbone);
}

/** The text stream's blocks: without an image the language backbone's own, unless the method changes the backbones. */
export function textBlocks(model: JointModel, withImage: boolean, options: FusionOptions): BlockLayers[] {
  const { method } = model;
  if ((withImage || method.changesBackbones) && method.textBlocks) return method.textBlocks(model, options, withImage);
  return languageBlocks(model.tree, model.config.language.backbone);
}
