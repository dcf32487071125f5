import { LANGUAGE_GROUP, languageBlocks } from '#language';
import { tf } from '#src/engine';
import {
  type ActiveGroup,
  type BlockLayers,
  LAYER_NAMES,
  type LayerName,
  layerPath,
  type PattentionLayer,
  readGroup,
} from '#src/tokenformer';
import { VISION_GROUP, visionBlocks } from '#vision';
import { BRIDGE_PLACES, bridgePath, textGate } from './jointConfig.js';
import type { FusionOptions, JointModel } from './jointModel.js';
import type { BridgePart } from './recipe.js';

/** A backbone's own group of a layer. */
export function group(model: JointModel, blockIndex: number, layer: LayerName, name: string): ActiveGroup {
  return { group: readGroup(model.tree, layerPath(blockIndex, layer), name) };
}

/** The bridge of one part in a text layer; none where it is off or the recipe lacks it. */
export function bridgeGroups(
  model: JointModel,
  blockIndex: number,
  part: BridgePart,
  { bridge }: FusionOptions,
): ActiveGroup[] {
  const { group: name } = BRIDGE_PLACES[part];
  const path = bridgePath(part, blockIndex);
  if (!bridge || !model.tree.has(`${path}/${name}/tau`)) return [];
  const { kind } = model.config.fusion.bridge;
  return [{ group: readGroup(model.tree, path, name), ...(kind === 'linear' ? { norm: 'linear' } : {}) }];
}

const TEXT_BRIDGES: Partial<Record<LayerName, BridgePart>> = { query: 'textQuery', key: 'textKey', value: 'textValue' };

/**
 * Both backbones' groups of a layer under one norm; with `recalibrate` each one's keys divided by their root mean square
 * length, so that a direction at random scores as high in both.
 */
export function unionLayer(model: JointModel, blockIndex: number, layer: LayerName): ActiveGroup[] {
  return [VISION_GROUP, LANGUAGE_GROUP].map((name) => {
    const { group: own } = group(model, blockIndex, layer, name);
    if (!model.config.fusion.recalibrate) return { group: own, norm: 'union' };
    const { keyParamTokens: keys } = own; // [numParamTokens, dIn]
    const length = tf.sqrt(tf.mean(tf.sum(tf.square(keys), 1)));
    return { group: { ...own, keyParamTokens: tf.div(keys, length) }, norm: 'union' };
  });
}

/** The image stream's blocks: the vision backbone's own, except under `union`. */
export function imageBlocks(model: JointModel): BlockLayers[] {
  const { vision, fusion } = model.config;
  if (fusion.method !== 'union') return visionBlocks(model.tree, vision.backbone);
  return Array.from({ length: vision.backbone.stack.numLayers }, (_, l) =>
    blockOf((layer) => unionLayer(model, l, layer)),
  );
}

/**
 * The text stream's blocks. Without an image (`withImage` false) they are the language backbone's own, except under
 * `union`; with one, text bridges and the gated vision groups join in.
 */
export function textBlocks(model: JointModel, withImage: boolean, options: FusionOptions): BlockLayers[] {
  const { language, fusion } = model.config;
  if (!withImage && fusion.method !== 'union') return languageBlocks(model.tree, language.backbone);
  return Array.from({ length: language.backbone.stack.numLayers }, (_, l) =>
    blockOf((layer) => {
      const part = TEXT_BRIDGES[layer];
      const bridges = withImage && part ? bridgeGroups(model, l, part, options) : [];
      if (fusion.method === 'union') return [...unionLayer(model, l, layer), ...bridges];
      const own = group(model, l, layer, LANGUAGE_GROUP);
      const foreign =
        fusion.method === 'grouped' && options.bridge
          ? [
              {
                ...group(model, l, layer, VISION_GROUP),
                gate: model.tree.variable(textGate(l, layer)) as tf.Tensor as tf.Scalar,
              },
            ]
          : [];
      return [own, ...foreign, ...bridges];
    }),
  );
}

function blockOf(layerOf: (layer: LayerName) => PattentionLayer): BlockLayers {
  return Object.fromEntries(LAYER_NAMES.map((layer) => [layer, layerOf(layer)])) as unknown as BlockLayers;
}
