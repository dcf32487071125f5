import { LANGUAGE_GROUP } from '#language';
import { tf } from '#src/engine';
import type { ActiveGroup, LayerName } from '#src/tokenformer';
import { VISION_GROUP } from '#vision';
import type { JointModel } from '../jointModel.js';
import type { FusionMethod } from './fusionMethod.js';
import { JOINT_LAYERS, jointContexts, textBridge } from './jointLayers.js';
import { backboneGroup, blocksOf, shapeProblems, textBlocksOf } from './modelGroups.js';

/**
 * Both backbones' groups of a layer under one norm; with `recalibrate` each one's keys divided by their root mean square
 * length, so that a direction at random scores as high in both.
 */
function unionLayer(model: JointModel, blockIndex: number, layer: LayerName): ActiveGroup[] {
  return [VISION_GROUP, LANGUAGE_GROUP].map((name) => {
    const { group: own } = backboneGroup(model, blockIndex, layer, name);
    if (!model.config.fusion.recalibrate) return { group: own, norm: 'union' };
    const { keyParamTokens: keys } = own; // [numParamTokens, dIn]
    const length = tf.sqrt(tf.mean(tf.sum(tf.square(keys), 1)));
    return { group: { ...own, keyParamTokens: tf.div(keys, length) }, norm: 'union' };
  });
}

/** One norm over all tokens of a layer, for both streams: the literal concatenation. It changes both backbones. */
export const union: FusionMethod = {
  ...JOINT_LAYERS,
  name: 'union',
  description: 'Every token uses all parameter tokens of a layer under one norm.',
  options: ['imageStates', 'positionValues', 'recalibrate'],
  backboneGroups: 'union',
  changesBackbones: true,
  backboneProblems: (config) => [
    ...shapeProblems(config),
    ...(config.vision.backbone.stack.normActivation === 'softmax'
      ? [`method 'union': expected an L2 norm, got normActivation softmax, whose τ is not a length`]
      : []),
  ],
  imageBlocks: (model) =>
    blocksOf(model.config.vision.backbone.stack.numLayers, (layer, l) => unionLayer(model, l, layer)),
  textBlocks: (model, options, withImage) =>
    textBlocksOf(model, (layer, l) => [
      ...unionLayer(model, l, layer),
      ...(withImage ? textBridge(model, l, layer, options) : []),
    ]),
  imageContexts: (model, states, options, statesNeedGradient) =>
    jointContexts(model, states, options, statesNeedGradient, (image, l, layer) => [
      image.readStates(l, unionLayer(model, l, layer), 'union'),
    ]),
};
