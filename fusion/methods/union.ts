import { LANGUAGE_GROUP } from '#language';
import { tf } from '#src/engine';
import { findNormActivation, normActivationNames } from '#src/kernels';
import { type ActiveGroup, blocksOf, type LayerName } from '#src/tokenformer';
import { VISION_GROUP } from '#vision';
import type { JointModelConfig } from '../jointConfig.js';
import type { JointModel } from '../jointModel.js';
import type { FusionMethod } from './fusionMethod.js';
import { JOINT_LAYERS, jointContexts, textBridge } from './jointLayers.js';
import { backboneGroups, shapeProblems, textBlocksOf } from './modelGroups.js';

/**
 * Both backbones' groups of a layer under one norm; with `recalibrate` each one's keys divided by their root mean square
 * length, so that a direction at random scores as high in both.
 */
function unionLayer(model: JointModel, blockIndex: number, layer: LayerName): ActiveGroup[] {
  return ([VISION_GROUP, LANGUAGE_GROUP] as const).flatMap((name) => {
    const groups = backboneGroups(model, blockIndex, layer, name).map(({ group }) => group);
    if (!model.config.fusion.recalibrate) return groups.map((group) => ({ group, norm: 'union' as const }));
    const keys = tf.concat(groups.map(({ keyParamTokens }) => keyParamTokens)); // [Σ numParamTokens, dIn]
    const length = tf.sqrt(tf.mean(tf.sum(tf.square(keys), 1)));
    return groups.map((group) => ({
      group: { ...group, keyParamTokens: tf.div(group.keyParamTokens, length) as tf.Tensor2D },
      norm: 'union' as const,
    }));
  });
}

/** The problem of a Θ that has no τ for two groups under one norm. */
function unionTauProblems(name: string): string[] {
  if (findNormActivation(name).unionTau !== undefined) return [];
  const names = normActivationNames().filter((other) => findNormActivation(other).unionTau !== undefined);
  return [
    `method 'union': expected a normActivation with a τ for groups under one norm (${names.join(', ')}), got ${name}`,
  ];
}

/** The problem of groups without a norm, such as those of `tokenfuse tune` with `method: lora`. */
function linearProblems({ vision, language }: JointModelConfig): string[] {
  const linear = [vision, language].flatMap(({ backbone }) =>
    (backbone.stack.appendedGroups ?? []).filter(({ kind }) => kind === 'linear').map(({ name }) => name),
  );
  return linear.map((name) => `method 'union': expected groups with a norm, got the linear group '${name}'`);
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
    ...unionTauProblems(config.vision.backbone.stack.normActivation),
    ...linearProblems(config),
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
