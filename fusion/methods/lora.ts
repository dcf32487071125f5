import { LANGUAGE_GROUP } from '#language';
import {
  type ActiveGroup,
  type BlockLayers,
  LAYER_NAMES,
  type LayerName,
  layerPath,
  readGroup,
} from '#src/tokenformer';
import { VISION_GROUP } from '#vision';
import type { JointModelConfig } from '../jointConfig.js';
import type { FusionOptions, JointModel } from '../jointModel.js';
import type { AddedGroup } from './fusionMethod.js';

type Backbone = typeof VISION_GROUP | typeof LANGUAGE_GROUP;

/** Name of the group that LoRA adds to a backbone's layers, as of one appended to it. */
function loraGroup(backbone: Backbone): string {
  return `${backbone}.fusionLora`;
}

export function isLoraGroup(group: string): boolean {
  return group === loraGroup(VISION_GROUP) || group === loraGroup(LANGUAGE_GROUP);
}

/** A linear group of `lora.rank` tokens beside every layer of the backbones that a recipe names; silent at first. */
export function loraGroups(config: JointModelConfig): AddedGroup[] {
  const { lora } = config.fusion;
  if (lora === undefined) return [];
  return lora.backbones.flatMap((backbone) => {
    const { dModel, numLayers } = config[backbone].backbone.stack;
    return Array.from({ length: numLayers }, (_, block) =>
      LAYER_NAMES.map(
        (layer): AddedGroup => ({
          ...{ block, layer, path: layerPath(block, layer), group: loraGroup(backbone) },
          ...{ numParamTokens: lora.rank, dIn: dModel, dOut: dModel },
          ...{ stream: backbone === VISION_GROUP ? 'image' : 'text', start: 'silent' },
        }),
      ),
    ).flat();
  });
}

/** The LoRA group beside a backbone's groups of a layer; none where bridges are off or the recipe has none. */
export function loraAt(
  { tree, config }: JointModel,
  blockIndex: number,
  layer: LayerName,
  backbone: Backbone,
  { bridge }: FusionOptions,
): ActiveGroup[] {
  if (!bridge || !config.fusion.lora?.backbones.includes(backbone)) return [];
  return [{ group: readGroup(tree, layerPath(blockIndex, layer), loraGroup(backbone)), norm: 'linear' }];
}

/** A stream's blocks with the LoRA of its backbone. */
export function withLora(
  blocks: BlockLayers[],
  model: JointModel,
  backbone: Backbone,
  options: FusionOptions,
): BlockLayers[] {
  return blocks.map((layers, l) => {
    const added = LAYER_NAMES.map((name) => [name, [...layers[name], ...loraAt(model, l, name, backbone, options)]]);
    return Object.fromEntries(added) as BlockLayers;
  });
}

/** Whether alignment moves the image states of a model whose vision backbone is frozen. */
export function trainsVisionLora({ tree }: JointModel): boolean {
  return tree.trainableNames().some((name) => name.split('/').includes(loraGroup(VISION_GROUP)));
}
