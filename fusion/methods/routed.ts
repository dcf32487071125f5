import { LANGUAGE_GROUP } from '#language';
import { VISION_GROUP } from '#vision';
import type { FusionOptions, JointModel } from '../jointModel.js';
import type { FusionMethod } from './fusionMethod.js';
import { imageTokens } from './imageTokens.js';
import { type BackboneReading, JOINT_LAYERS, jointContexts, jointReadings, textBridge } from './jointLayers.js';
import { backboneGroups, stacksMatch, textBlocksOf } from './modelGroups.js';

/** Text reads image tokens through the vision groups, where their shape fits. */
function readVision(model: JointModel, options: FusionOptions): BackboneReading {
  return (image, l, layer) =>
    stacksMatch(model.config) ? [image.readStates(l, backboneGroups(model, l, layer, VISION_GROUP, options))] : [];
}

/** Image tokens use the vision groups, text tokens the language groups; bridges are all that alignment trains. */
export const routed: FusionMethod = {
  ...JOINT_LAYERS,
  name: 'routed',
  description:
    'Image tokens use the vision group, text tokens the language group; text attends to both in one softmax.',
  options: ['imageStates', 'positionValues', 'imageGate'],
  backboneGroups: 'separate',
  changesBackbones: false,
  backboneProblems: (config) => {
    const { tokens, parts } = config.fusion.bridge;
    if (stacksMatch(config) || (tokens > 0 && parts.includes('imageValue'))) return [];
    return [
      `bridge: expected the part 'imageValue' with tokens above 0, which alone carries the image when the backbones' shapes differ; got none`,
    ];
  },
  textBlocks: (model, options) =>
    textBlocksOf(model, (layer, l) => [
      ...backboneGroups(model, l, layer, LANGUAGE_GROUP),
      ...textBridge(model, l, layer, options),
    ]),
  imageContexts: (model, states, options, statesNeedGradient) =>
    jointContexts(model, states, options, statesNeedGradient, readVision(model, options)),
  imageReadings: (model, states, options) =>
    jointReadings(model, imageTokens(model, states, false), options, readVision(model, options)),
};
