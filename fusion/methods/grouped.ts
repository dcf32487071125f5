import { LANGUAGE_GROUP } from '#language';
import type { tf } from '#src/engine';
import { LAYER_NAMES, type LayerName, layerPath, type PattentionLayer } from '#src/tokenformer';
import { VISION_GROUP } from '#vision';
import type { FusionOptions, JointModel } from '../jointModel.js';
import type { FusionMethod } from './fusionMethod.js';
import { imageTokens } from './imageTokens.js';
import { type BackboneReading, JOINT_LAYERS, jointContexts, jointReadings, textBridge } from './jointLayers.js';
import { addedGate, backboneGroups, shapeProblems, textBlocksOf } from './modelGroups.js';

/** Gate of the vision group on text tokens, one per block and layer. */
function textGate(blockIndex: number, layer: LayerName): string {
  return `${layerPath(blockIndex, layer)}/vision/textGate`;
}

/** Gate of the language group on image tokens as text reads them, one per block for keys and one for values. */
function imageGate(blockIndex: number, layer: 'key' | 'value'): string {
  return `${layerPath(blockIndex, layer)}/language/imageGate`;
}

/** The other backbone's groups, behind one gate. */
function gatedGroups(
  model: JointModel,
  l: number,
  layer: LayerName,
  name: 'vision' | 'language',
  gate: tf.Scalar,
  options: FusionOptions,
): PattentionLayer {
  return backboneGroups(model, l, layer, name, options).map((active) => ({ ...active, gate }));
}

/** Text reads image tokens through the vision groups and, behind gates, the language groups. */
function readBoth(model: JointModel, options: FusionOptions): BackboneReading {
  return (image, l, layer) => {
    const read = [image.readStates(l, backboneGroups(model, l, layer, VISION_GROUP, options))];
    if (!options.bridge) return read;
    const gate = addedGate(model, imageGate(l, layer));
    return [...read, image.readStates(l, gatedGroups(model, l, layer, LANGUAGE_GROUP, gate, options))];
  };
}

/** As `routed`, plus the other backbone's groups behind tanh gates that start at 0. */
export const grouped: FusionMethod = {
  ...JOINT_LAYERS,
  name: 'grouped',
  description: 'Every token uses every group; each group is normalised alone, those of the other backbone have a gate.',
  options: ['imageStates', 'positionValues', 'imageGate'],
  backboneGroups: 'both',
  changesBackbones: false,
  backboneProblems: shapeProblems,
  gates: ({ language }) =>
    Array.from({ length: language.backbone.stack.numLayers }, (_, l) => [
      ...LAYER_NAMES.map((layer) => textGate(l, layer)),
      imageGate(l, 'key'),
      imageGate(l, 'value'),
    ]).flat(),
  textBlocks: (model, options) =>
    textBlocksOf(model, (layer, l) => {
      const foreign = options.bridge
        ? gatedGroups(model, l, layer, VISION_GROUP, addedGate(model, textGate(l, layer)), options)
        : [];
      return [...backboneGroups(model, l, layer, LANGUAGE_GROUP), ...foreign, ...textBridge(model, l, layer, options)];
    }),
  imageContexts: (model, states, options, statesNeedGradient) =>
    jointContexts(model, states, options, statesNeedGradient, readBoth(model, options)),
  imageReadings: (model, states, options) =>
    jointReadings(model, imageTokens(model, states, false), options, readBoth(model, options)),
};
