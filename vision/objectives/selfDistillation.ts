import { z } from 'zod';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { withoutGradient } from '#src/kernels';
import type { ParameterTree } from '#src/tokenformer';
import {
  createVisionParameters,
  encodeTokens,
  patchPositions,
  pooled,
  projectPatches,
  visionForward,
  withClassToken,
} from '../model/backbone.js';
import { imageMultiplyAdds } from '../model/config.js';
import { patchify } from '../model/patchEmbedding.js';
import { gridInterpolation } from './bilinear.js';
import { cropImages, drawCrops } from './crops.js';
import { type ObjectiveFactory, type ObjectiveInput, teacherOf } from './objective.js';
import { createPrototypeHead, prototypeCosines, prototypeMultiplyAdds } from './prototypeHead.js';
import { sinkhorn } from './sinkhorn.js';
import { momentumKey } from './teacher.js';

const area = z.number().gt(0).max(1);
const temperature = z.number().min(0.01).max(10);

/** Self-distillation: from any crop of an image, predict what a slower copy of the model says of the whole. */
export const SelfDistillationConfig = z
  .strictObject({
    kind: z.literal('selfDistillation'),
    localCrops: z
      .int()
      .min(0)
      .max(100)
      .default(4)
      .describe('small crops of each image, of half as many patches to a side; beside two large ones'),
    globalShare: area.default(0.4).describe("least share of the image's area in a large crop; the most is all of it"),
    localShare: area.default(0.1).describe("least share of the image's area in a small crop; the most is globalShare"),
    prototypes: z.int().min(2).default(256).describe('vectors that crops are told apart by'),
    headHidden: z.int().positive().default(256).describe('width of the head between backbone and prototypes'),
    headOutput: z.int().positive().default(64).describe('width of the prototypes'),
    studentTemperature: temperature.default(0.1).describe('cosines are divided by it before the softmax'),
    teacherTemperature: temperature.default(0.05).describe("the same of the teacher's; a lower one is sharper"),
    momentum: momentumKey,
    weight: z.number().positive().default(1).describe('factor of this loss in the sum'),
  })
  .superRefine(({ localShare, globalShare }, context) => {
    if (localShare > globalShare) {
      const message = `expected at most globalShare ${globalShare}, got ${localShare}`;
      context.addIssue({ code: 'custom', path: ['localShare'], message });
    }
  })
  .describe(
    'which prototypes a moving average of the model finds in a large crop of the image, said from other crops; needs no labels',
  );

/** Large crops of an image: the teacher sees them, the student all crops. */
const GLOBAL_CROPS = 2;

/**
 * Cross-entropy of the student's softmax p over prototypes with the teacher's shares q, over all pairs of a large crop t and another
 * crop s:
 *
 *   L = −mean over t, s ≠ t of Σ_k q_t[k] log p_s[k],     p = softmax(cosines / studentTemperature)
 *
 * with q from the teacher's cosines by `sinkhorn`, which takes the place of the paper's centring and has no state. Crops are random
 * resized ones; a large crop has all positions of an image, a small one positions interpolated between them. Measures the loss and
 * `prototypeInformation`, H(mean of p) − mean of H(p) in nats for the teacher's p: 0 both when every image gets the same prototype and
 * when every image gets all of them. Source: Caron et al., arXiv 2104.14294.
 */
export const createSelfDistillation: ObjectiveFactory<z.output<typeof SelfDistillationConfig>> = (
  config,
  vision,
  _,
  seed,
) => {
  const { imageSize, patchSize, stack } = vision;
  const { localCrops, globalShare, localShare } = config;
  const side = imageSize / patchSize;
  if (side < 2) {
    throw new ConfigError(
      'objectives: selfDistillation: expected at least 2 patches to a side of the image, got 1; take a smaller patchSize',
    );
  }
  const localSide = Math.floor(side / 2);
  const interpolation = gridInterpolation(side, localSide);
  const sizes = {
    ...{ input: stack.dModel, hidden: config.headHidden },
    ...{ output: config.headOutput, prototypes: config.prototypes },
  };

  const cosinesOfGlobal = (tree: ParameterTree, pixels: tf.Tensor4D): tf.Tensor2D =>
    prototypeCosines(tree, pooled(vision, visionForward(tree, vision, pixels).normed));

  const cosinesOfLocal = (tree: ParameterTree, pixels: tf.Tensor4D): tf.Tensor2D => {
    const positions = tf.matMul(tf.tensor2d(interpolation, [localSide ** 2, side ** 2]), patchPositions(tree, vision));
    const tokens = tf.add(projectPatches(tree, patchify(pixels, patchSize)), positions) as tf.Tensor3D;
    const { normed } = encodeTokens(tree, vision, withClassToken(tree, vision, tokens));
    return prototypeCosines(tree, pooled(vision, normed));
  };

  const distil = (input: ObjectiveInput): { loss: tf.Scalar; teacherCosines: tf.Tensor2D } => {
    const { tree, batch: images, streamId } = input;
    const { batch, pixelValues } = images;
    const cropped = (kind: string, count: number, areas: [number, number], to: number): tf.Tensor4D => {
      const boxes = drawCrops(count * batch, areas, seed, kind, streamId);
      const pixels = cropImages(pixelValues, boxes, imageSize, to);
      return tf.tensor4d(pixels, [count * batch, to, to, 3]);
    };
    const globals = cropped('global', GLOBAL_CROPS, [globalShare, 1], imageSize);
    const teacherCosines = withoutGradient(() => cosinesOfGlobal(teacherOf(input), globals)); // [2 · batch, prototypes]
    const wanted = withoutGradient(() => sinkhorn(teacherCosines, config.teacherTemperature));
    const logarithms = (cosines: tf.Tensor2D): tf.Tensor2D => tf.logSoftmax(tf.div(cosines, config.studentTemperature));
    const ofGlobals = logarithms(cosinesOfGlobal(tree, globals));
    const perCrop = (rows: tf.Tensor2D): tf.Tensor3D => tf.reshape(rows, [-1, batch, config.prototypes]);
    const sums = [tf.sum(perCrop(ofGlobals), 0)];
    if (localCrops > 0) {
      const locals = cropped('local', localCrops, [localShare, globalShare], localSide * patchSize);
      sums.push(tf.sum(perCrop(logarithms(cosinesOfLocal(tree, locals))), 0));
    }
    // Σ over t, s of q_t log p_s, without the pairs of a crop with itself.
    const ofAll = tf.sum(tf.mul(tf.sum(perCrop(wanted), 0), tf.addN(sums)));
    const ofItself = tf.sum(tf.mul(wanted, ofGlobals));
    const pairs = GLOBAL_CROPS * (GLOBAL_CROPS + localCrops - 1);
    return { loss: tf.div(tf.sub(ofItself, ofAll), pairs), teacherCosines };
  };

  const head = prototypeMultiplyAdds(sizes);
  return {
    name: 'selfDistillation',
    weight: config.weight,
    seesWholeImages: false,
    multiplyAdds:
      GLOBAL_CROPS * (imageMultiplyAdds(vision) + head) +
      localCrops * (imageMultiplyAdds(vision, localSide ** 2) + head),
    teacher: {
      names: [...createVisionParameters(vision, 0).keys(), ...createPrototypeHead(sizes, 0).keys()],
      momentum: config.momentum,
      multiplyAdds: GLOBAL_CROPS * (imageMultiplyAdds(vision) + head),
    },
    createParameters: (initSeed) => createPrototypeHead(sizes, initSeed),
    loss: (input) => distil(input).loss,
    measure: (input) => {
      const { loss, teacherCosines } = distil(input);
      const { batch } = input.batch;
      const shares = tf.softmax(tf.div(teacherCosines, config.teacherTemperature));
      const information = tf.sub(entropy(tf.mean(shares, 0, true)), entropy(shares));
      return {
        distillationLoss: { sum: loss, count: batch },
        prototypeInformation: { sum: tf.mul(information, batch), count: batch },
      };
    },
  };
};

/** Mean over rows of −Σ p log p. */
function entropy(shares: tf.Tensor): tf.Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(shares, tf.log(tf.add(shares, 1e-12))), 1)));
}
