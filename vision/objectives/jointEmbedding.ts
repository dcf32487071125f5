import { z } from 'zod';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { layerNormalize, withoutGradient } from '#src/kernels';
import { createRandom } from '#src/random';
import { createStackParameters, openStack, stackMultiplyAdds } from '#src/stacks';
import { finalNorm, normalTensor } from '#src/tokenformer';
import { createVisionParameters, patchTokens, visionForward } from '../model/backbone.js';
import { imageMultiplyAdds } from '../model/config.js';
import { patchify } from '../model/patchEmbedding.js';
import { lightStack } from './lightStack.js';
import { createLinearHead, linearHead } from './linearHead.js';
import { type ObjectiveFactory, type ObjectiveInput, teacherOf } from './objective.js';
import { encodePicked, pickPatches } from './pickedPatches.js';
import { blockSizes, drawBlocks } from './targetBlocks.js';
import { momentumKey } from './teacher.js';

/** Joint-embedding prediction: from some patches, predict what a slower copy of the backbone makes of others. */
export const JointEmbeddingConfig = z
  .strictObject({
    kind: z.literal('jointEmbedding'),
    targetBlocks: z.int().positive().max(100).default(4).describe('blocks of patches to predict in each image'),
    targetShare: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.175)
      .describe('share of the patches in one block, whose sides are as 3 to 2; the backbone sees what no block covers'),
    momentum: momentumKey,
    predictorLayers: z.int().positive().max(1000).default(1).describe('blocks of the predictor'),
    predictorModel: z.int().positive().default(64).describe('width of the predictor; a multiple of its heads'),
    predictorHeads: z.int().positive().default(4).describe('attention heads of the predictor'),
    weight: z.number().positive().default(1).describe('factor of this loss in the sum'),
  })
  .superRefine(({ predictorModel, predictorHeads }, context) => {
    if (predictorModel % predictorHeads !== 0) {
      const message = `expected a divisor of predictorModel ${predictorModel}, got ${predictorHeads}`;
      context.addIssue({ code: 'custom', path: ['predictorHeads'], message });
    }
  })
  .describe(
    'the states that a moving average of the backbone has in hidden blocks of patches; no pixels are predicted; needs no labels',
  );

const PREDICTOR_GROUP = 'visionPredictor';
const EMBEDDING = `${PREDICTOR_GROUP}/embedding`;
const STATES = `${PREDICTOR_GROUP}/states`;
const MASK_TOKEN = `${PREDICTOR_GROUP}/maskToken`;
const POSITIONS = `${PREDICTOR_GROUP}/positionEmbedding`;

/**
 * Mean over blocks, patches and features of the smooth L1 distance
 *
 *   ℓ(p − t),   ℓ(u) = u² / 2 where |u| < 1, |u| − 1/2 elsewhere
 *
 * between predicted states p and targets t = LN(states of the teacher, which sees the whole image), LN without parameters. The backbone
 * sees the context alone; the predictor sees its states and, block by block, a mask token at each position to predict. Measures the
 * loss and `targetDeviation`, the standard deviation of t over images and patches (mean over features): 0 when all states have
 * collapsed into one. Source: Assran et al., arXiv 2301.08243; distance as in the official code.
 */
export const createJointEmbedding: ObjectiveFactory<z.output<typeof JointEmbeddingConfig>> = (
  config,
  vision,
  _,
  seed,
) => {
  const side = vision.imageSize / vision.patchSize;
  const sizes = blockSizes(side, config.targetBlocks, config.targetShare);
  const { contextPatches, blocks } = sizes;
  const blockPatches = sizes.long * sizes.short;
  if (contextPatches < 1) {
    throw new ConfigError(
      `objectives: jointEmbedding: expected blocks that leave patches to see, got targetBlocks ${blocks} of ${blockPatches} of the ${side ** 2} patches each (targetShare ${config.targetShare}); lower targetBlocks or targetShare, or take a smaller patchSize`,
    );
  }
  const width = config.predictorModel;
  const { dModel } = vision.stack;
  const size = { dModel: width, numLayers: config.predictorLayers, numHeads: config.predictorHeads };
  const predictor = lightStack(vision.stack, size);

  const predict = (input: ObjectiveInput): { loss: tf.Scalar; targets: tf.Tensor3D } => {
    const { tree, batch: images, pixelValues, streamId } = input;
    const { batch } = images;
    const teacher = teacherOf(input);
    const targets = withoutGradient(() => {
      const states = patchTokens(vision, visionForward(teacher, vision, pixelValues).normed);
      const flat = tf.reshape(states, [-1, dModel]) as tf.Tensor2D;
      return tf.reshape(layerNormalize(flat), states.shape) as tf.Tensor3D;
    }); // [batch, numPatches, dModel]
    const drawn = drawBlocks(sizes, batch, seed, streamId);
    const context = tf.tensor1d(drawn.context, 'int32');
    const picked = pickPatches(patchify(pixelValues, vision.patchSize), drawn.context);
    const encoded = encodePicked(tree, vision, picked, context); // [batch · contextPatches, dModel]
    const positions = tree.variable(POSITIONS);
    const embedded = tf.add(linearHead(tree, EMBEDDING, encoded), tf.gather(positions, context));
    const seen = tf.reshape(embedded, [batch, contextPatches, width]) as tf.Tensor3D;
    const asked = tf.add(tf.gather(positions, tf.tensor1d(drawn.targets, 'int32')), tree.variable(MASK_TOKEN));
    const tokens = tf.concat(
      [
        tf.concat(Array<tf.Tensor3D>(blocks).fill(seen), 0),
        tf.reshape(asked, [blocks * batch, blockPatches, width]) as tf.Tensor3D,
      ],
      1,
    ); // [blocks · batch, contextPatches + blockPatches, predictorModel]
    const { hidden } = openStack(tree, predictor, PREDICTOR_GROUP)(tokens, { mask: { kind: 'full' } });
    const answers = tf.reshape(tf.slice(hidden, [0, contextPatches, 0], [-1, -1, -1]), [-1, width]) as tf.Tensor2D;
    const predicted = linearHead(tree, STATES, finalNorm(answers, tree, PREDICTOR_GROUP)); // [targets, dModel]
    const perBlock = batch * blockPatches;
    const wanted = Array.from({ length: blocks }, (_block, i) =>
      pickPatches(targets, drawn.targets.subarray(i * perBlock, (i + 1) * perBlock)),
    );
    const truth = tf.reshape(tf.concat(wanted, 0), [-1, dModel]); // [targets, dModel], in the order of `drawn.targets`
    const difference = tf.sub(predicted, truth);
    const clipped = tf.clipByValue(difference, -1, 1);
    // c (u − c/2) with c = u cut off at ±1 is u²/2 inside and |u| − 1/2 outside.
    const distances = tf.mul(clipped, tf.sub(difference, tf.div(clipped, 2)));
    return { loss: tf.div(tf.sum(distances), blocks * blockPatches * dModel), targets };
  };

  return {
    name: 'jointEmbedding',
    weight: config.weight,
    seesWholeImages: false,
    multiplyAdds:
      imageMultiplyAdds(vision, contextPatches) +
      contextPatches * dModel * width +
      blocks * stackMultiplyAdds(predictor, contextPatches + blockPatches, 'full') +
      blocks * blockPatches * width * dModel,
    teacher: {
      names: [...createVisionParameters(vision, 0).keys()],
      momentum: config.momentum,
      multiplyAdds: imageMultiplyAdds(vision),
    },
    createParameters: (initSeed) =>
      new Map([
        ...createStackParameters(PREDICTOR_GROUP, predictor, initSeed),
        ...createLinearHead(EMBEDDING, dModel, width, initSeed),
        ...createLinearHead(STATES, width, dModel, initSeed),
        [MASK_TOKEN, normalTensor([1, width], 0.02, createRandom(initSeed, 'init', MASK_TOKEN))],
        [POSITIONS, normalTensor([side ** 2, width], 0.02, createRandom(initSeed, 'init', POSITIONS))],
      ]),
    loss: (input) => predict(input).loss,
    measure: (input) => {
      const { loss, targets } = predict(input);
      const { batch } = input.batch;
      const { variance } = tf.moments(tf.reshape(targets, [-1, dModel]), 0);
      return {
        jointError: { sum: loss, count: batch },
        targetDeviation: { sum: tf.mul(tf.mean(tf.sqrt(variance)), batch), count: batch },
      };
    },
  };
};
