import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import { createStackParameters, openStack, type Stack } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import {
  type BlockLayers,
  type Capture,
  constantTensor,
  finalNorm,
  normalTensor,
  type ParameterTree,
  stackBlocks,
} from '#src/tokenformer';
import { type AnyVisionConfig, numImageTokens, numPatches, type VisionConfig } from './config.js';
import { patchify } from './patchEmbedding.js';

/** Name of the vision groups in every layer, and of the vision parameters outside of layers. */
export const VISION_GROUP = 'vision';

const PATCH_KERNEL = `${VISION_GROUP}/patchEmbedding/kernel`;
const PATCH_BIAS = `${VISION_GROUP}/patchEmbedding/bias`;
const CLASS_TOKEN = `${VISION_GROUP}/classToken`;

/** [numImageTokens, dModel]: where each image token stands. */
export const POSITION_EMBEDDING = `${VISION_GROUP}/positionEmbedding`;

/**
 * New parameters of a vision backbone: patch kernel N(0, 1/patch width), positions and class token N(0, 0.02²), the
 * stack as `createStack` or `createTransformer`. The paper does not state its vision initialisation.
 */
export function createVisionParameters(config: AnyVisionConfig, seed: number): Map<string, HostTensor> {
  const { dModel } = config.stack;
  const patchWidth = config.patchSize ** 2 * 3;
  const normal = (name: string, shape: number[], std: number): [string, HostTensor] => [
    name,
    normalTensor(shape, std, createRandom(seed, 'init', name)),
  ];
  return new Map([
    normal(PATCH_KERNEL, [patchWidth, dModel], 1 / Math.sqrt(patchWidth)),
    [PATCH_BIAS, constantTensor([dModel], 0)],
    normal(POSITION_EMBEDDING, [numImageTokens(config), dModel], 0.02),
    ...(config.pooling === 'classToken' ? [normal(CLASS_TOKEN, [1, dModel], 0.02)] : []),
    ...createStackParameters(VISION_GROUP, config.stack, seed),
  ]);
}

/** The backbone's stack on its own. */
export function visionStack(tree: ParameterTree, config: AnyVisionConfig): Stack {
  return openStack(tree, config.stack, VISION_GROUP);
}

/** The blocks of a TokenFormer on its own: every layer holds the vision group, and those appended to it. */
export function visionBlocks(tree: ParameterTree, config: VisionConfig): BlockLayers[] {
  return stackBlocks(tree, config.stack, VISION_GROUP);
}

/**
 * Patch pixels to tokens: patches · W + b + position.
 *
 * @param patches [batch, count, patchSize² · 3]
 * @param patchIndices [batch · count], which patch of its image each one is; all in order when absent
 * @returns [batch, count, dModel], the class token not included
 */
export function embedPatches(
  tree: ParameterTree,
  config: AnyVisionConfig,
  patches: tf.Tensor3D,
  patchIndices?: tf.Tensor1D,
): tf.Tensor3D {
  const tokens = projectPatches(tree, patches);
  const positions = patchPositions(tree, config);
  return tf.add(tokens, patchIndices ? tf.reshape(tf.gather(positions, patchIndices), tokens.shape) : positions);
}

/** Patch pixels to tokens without a position: patches · W + b. [batch, count, patchSize² · 3] → [batch, count, dModel] */
export function projectPatches(tree: ParameterTree, patches: tf.Tensor3D): tf.Tensor3D {
  const [batch, count, patchWidth] = patches.shape;
  const kernel = tree.variable(PATCH_KERNEL) as tf.Tensor as tf.Tensor2D;
  const flat = tf.reshape(patches, [batch * count, patchWidth]);
  const projected = tf.add(tf.matMul(flat, kernel), tree.variable(PATCH_BIAS));
  return tf.reshape(projected, [batch, count, kernel.shape[1]]);
}

/** The positions of an image's patches, in their order. [numPatches, dModel] */
export function patchPositions(tree: ParameterTree, config: AnyVisionConfig): tf.Tensor2D {
  const first = numImageTokens(config) - numPatches(config);
  return tf.slice(tree.variable(POSITION_EMBEDDING) as tf.Tensor as tf.Tensor2D, [first, 0], [-1, -1]);
}

/** Puts the class token, if the model has one, before the patch tokens. */
export function withClassToken(tree: ParameterTree, config: AnyVisionConfig, tokens: tf.Tensor3D): tf.Tensor3D {
  if (config.pooling !== 'classToken') return tokens;
  const position = tf.slice(tree.variable(POSITION_EMBEDDING), [0, 0], [1, -1]);
  const classToken = tf.add(tree.variable(CLASS_TOKEN), position); // [1, dModel]
  const everywhere = tf.add(tf.zeros([tokens.shape[0], 1, config.stack.dModel]), classToken); // [batch, 1, dModel]
  return tf.concat([everywhere as tf.Tensor3D, tokens], 1);
}

/** Image tokens after the blocks, before and after the final norm. */
export interface VisionStates {
  /** [batch, numImageTokens, dModel], before the final norm: what a merged model reads. */
  readonly hidden: tf.Tensor3D;
  /** [batch, numImageTokens, dModel], after the final norm. */
  readonly normed: tf.Tensor3D;
}

/**
 * The forward pass over whole images; attention is full.
 *
 * @param pixelValues [batch, imageSize, imageSize, 3], in [−1, 1]
 * @param stack the backbone's own unless a merged model brings another
 * @param capture receives `hidden.0` … `hidden.L`
 */
export function visionForward(
  tree: ParameterTree,
  config: AnyVisionConfig,
  pixelValues: tf.Tensor4D,
  { stack, capture }: { stack?: Stack; capture?: Capture } = {},
): VisionStates {
  const patches = embedPatches(tree, config, patchify(pixelValues, config.patchSize));
  return encodeTokens(tree, config, withClassToken(tree, config, patches), stack, capture);
}

/** The stack and the final norm over tokens that are already embedded. */
export function encodeTokens(
  tree: ParameterTree,
  config: AnyVisionConfig,
  tokens: tf.Tensor3D,
  stack: Stack = visionStack(tree, config),
  capture?: Capture,
): VisionStates {
  const { hidden } = stack(tokens, { mask: { kind: 'full' }, capture });
  const flat = tf.reshape(hidden, [-1, config.stack.dModel]) as tf.Tensor2D;
  return { hidden, normed: tf.reshape(finalNorm(flat, tree, VISION_GROUP), hidden.shape) };
}

/** One vector per image: the class token, or the mean over patches. [batch, dModel] */
export function pooled(config: AnyVisionConfig, normed: tf.Tensor3D): tf.Tensor2D {
  return config.pooling === 'classToken'
    ? tf.reshape(tf.slice(normed, [0, 0, 0], [-1, 1, -1]), [normed.shape[0], config.stack.dModel])
    : tf.mean(normed, 1);
}

/** The patch tokens alone. [batch, numPatches, dModel] */
export function patchTokens(config: AnyVisionConfig, normed: tf.Tensor3D): tf.Tensor3D {
  const first = numImageTokens(config) - numPatches(config);
  return first === 0 ? normed : tf.slice(normed, [0, first, 0], [-1, -1, -1]);
}
