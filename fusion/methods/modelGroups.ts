import type { tf } from '#src/engine';
import {
  type ActiveGroup,
  type BlockLayers,
  blocksOf,
  type LayerName,
  type PattentionLayer,
  readGroup,
  stackLayer,
} from '#src/tokenformer';
import type { JointModelConfig } from '../jointConfig.js';
import type { FusionOptions, JointModel } from '../jointModel.js';
import { loraAt } from './lora.js';

/**
 * A backbone's groups of a layer: its own, `vision` or `language`, then those appended to it.
 *
 * @param options for a layer outside of the backbone's own stream, which has its LoRA too
 */
export function backboneGroups(
  model: JointModel,
  blockIndex: number,
  layer: LayerName,
  name: 'vision' | 'language',
  options: FusionOptions = { bridge: false },
): PattentionLayer {
  const own = stackLayer(model.tree, model.config[name].backbone.stack, name, blockIndex, layer);
  return [...own, ...loraAt(model, blockIndex, layer, name, options)];
}

/** A group that the method added at `path`; none where bridges are off or the recipe leaves it out. */
export function addedGroup(
  model: JointModel,
  path: string,
  name: string,
  { bridge, dropout }: FusionOptions,
): ActiveGroup[] {
  if (!bridge || !model.tree.has(`${path}/${name}/tau`)) return [];
  const { kind } = model.config.fusion.bridge;
  const group = readGroup(model.tree, path, name);
  return [{ group: dropout ? dropout(group, `${path}/${name}`) : group, norm: kind === 'linear' ? 'linear' : 'own' }];
}

/** A gate that the method added. */
export function addedGate(model: JointModel, name: string): tf.Scalar {
  return model.tree.variable(name) as tf.Tensor as tf.Scalar;
}

/** A gate per head that the method added. [numHeads] */
export function addedHeadGate(model: JointModel, name: string): tf.Tensor1D {
  return model.tree.variable(name) as tf.Tensor as tf.Tensor1D;
}

/** One block per text layer, made layer by layer. */
export function textBlocksOf(
  { config }: JointModel,
  layerOf: (layer: LayerName, blockIndex: number) => PattentionLayer,
): BlockLayers[] {
  return blocksOf(config.language.backbone.stack.numLayers, layerOf);
}

/**
 * True when both stacks have one shape, so that the vision key and value groups fit the text layers that read the image.
 * Otherwise bridges alone map the vision width to the language width.
 */
export function stacksMatch({ vision, language }: Pick<JointModelConfig, 'vision' | 'language'>): boolean {
  const [a, b] = [vision.backbone.stack, language.backbone.stack];
  return a.dModel === b.dModel && a.numLayers === b.numLayers && a.numHeads === b.numHeads;
}

/** The problem of a method that needs backbones of one width, depth and head count; none when they are. */
export function shapeProblems(config: JointModelConfig): string[] {
  if (stacksMatch(config)) return [];
  const [v, l] = [config.vision.backbone.stack, config.language.backbone.stack];
  const shapes = (['dModel', 'numLayers', 'numHeads'] as const)
    .filter((key) => v[key] !== l[key])
    .map((key) => `${key} ${v[key]} (vision) and ${l[key]} (language)`)
    .join(', ');
  return [
    `method '${config.fusion.method}': expected backbones of one width, depth and head count, got ${shapes}; use 'routed'`,
  ];
}
