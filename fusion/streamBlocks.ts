import { LANGUAGE_GROUP, languageBlocks } from '#language';
import type { BlockLayers } from '#src/tokenformer';
import { VISION_GROUP, visionBlocks } from '#vision';
import type { FusionOptions, JointModel } from './jointModel.js';
import { withLora } from './methods/index.js';

/** The image stream's blocks: the vision backbone's own with its LoRA, unless the method changes the backbones. */
export function imageBlocks(model: JointModel, options: FusionOptions = { bridge: true }): BlockLayers[] {
  const { method } = model;
  if (method.changesBackbones && method.imageBlocks) return method.imageBlocks(model);
  return withLora(visionBlocks(model.tree, model.config.vision.backbone), model, VISION_GROUP, options);
}

/** The text stream's blocks: without an image the language backbone's own, unless the method changes the backbones. */
export function textBlocks(model: JointModel, withImage: boolean, options: FusionOptions): BlockLayers[] {
  const { method } = model;
  const blocks =
    (withImage || method.changesBackbones) && method.textBlocks
      ? method.textBlocks(model, options, withImage)
      : languageBlocks(model.tree, model.config.language.backbone);
  return withImage ? withLora(blocks, model, LANGUAGE_GROUP, options) : blocks;
}
