import { z } from 'zod';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { createRandom } from '#src/random';
import { createStackParameters, openStack, stackMultiplyAdds } from '#src/stacks';
import { finalNorm, normalTensor } from '#src/tokenformer';
import { imageMultiplyAdds, numPatches } from '../model/config.js';
import { patchify } from '../model/patchEmbedding.js';
import { lightStack } from './lightStack.js';
import { createLinearHead, linearHead } from './linearHead.js';
import type { ObjectiveFactory, ObjectiveInput } from './objective.js';
import { encodePicked, pickPatches } from './pickedPatches.js';

/** Masked autoencoding: encode the visible patches, predict the pixels of the hidden ones with a light decoder. */
export const MaskedPatchesConfig = z
  .strictObject({
    kind: z.literal('maskedPatches'),
    maskShare: z.number().gt(0).lt(1).default(0.75).describe('share of the patches that are hidden'),
    decoderLayers: z.int().positive().max(1000).default(1).describe('blocks of the decoder'),
    decoderModel: z.int().positive().default(64).describe('width of the decoder; a multiple of its heads'),
    decoderHeads: z.int().positive().default(4).describe('attention heads of the decoder'),
    weight: z.number().positive().default(1).describe('factor of this loss in the sum'),
  })
  .superRefine(({ decoderModel, decoderHeads }, context) => {
    if (decoderModel % decoderHeads !== 0) {
      const message = `expected a divisor of decoderModel ${decoderModel}, got ${decoderHeads}`;
      context.addIssue({ code: 'custom', path: ['decoderHeads'], message });
    }
  })
  .describe('the pixels of hidden patches; needs no labels');

const DECODER_GROUP = 'visionDecoder';
const HEAD = `${DECODER_GROUP}/pixels`;
const BRIDGE = `${DECODER_GROUP}/embedding`;
const MASK_TOKEN = `${DECODER_GROUP}/maskToken`;
const POSITIONS = `${DECODER_GROUP}/positionEmbedding`;

/**
 * Mean squared error of the hidden patches' pixels, each patch first brought to mean 0 and variance 1. The encoder sees
 * the visible patches only. Source: He et al., arXiv 2111.06377.
 */
export const createMaskedPatches: ObjectiveFactory<z.output<typeof MaskedPatchesConfig>> = (
  config,
  vision,
  _,
  seed,
) => {
  const patches = numPatches(vision);
  if (patches < 2) {
    throw new ConfigError(
      'objectives: maskedPatches: expected at least 2 patches an image, got 1; take a smaller patchSize',
    );
  }
  const hiddenCount = Math.min(patches - 1, Math.max(1, Math.round(patches * config.maskShare)));
  const visibleCount = patches - hiddenCount;
  const patchWidth = vision.patchSize ** 2 * 3;
  const width = config.decoderModel;
  const size = { dModel: width, numLayers: config.decoderLayers, numHeads: config.decoderHeads };
  const decoder = lightStack(vision.stack, size);
  // Attention does not mind the order of tokens, so visible and hidden ones need not be put back in place.
  const drawMask = (batch: number, streamId: string): { visible: Int32Array; hidden: Int32Array } => {
    const visible = new Int32Array(batch * visibleCount);
    const hidden = new Int32Array(batch * hiddenCount);
    const order = Array.from({ length: patches }, (_unused, i) => i);
    const random = createRandom(seed, 'mask', streamId);
    for (let b = 0; b < batch; b++) {
      const drawn = random.shuffled(order);
      visible.set(drawn.slice(0, visibleCount), b * visibleCount);
      hidden.set(drawn.slice(visibleCount), b * hiddenCount);
    }
    return { visible, hidden };
  };
  const squaredError = ({ tree, batch: { batch }, pixelValues, streamId }: ObjectiveInput): tf.Scalar => {
    const mask = drawMask(batch, streamId);
    const all = patchify(pixelValues, vision.patchSize);
    const visibleIndices = tf.tensor1d(mask.visible, 'int32');
    const encoded = encodePicked(tree, vision, pickPatches(all, mask.visible), visibleIndices);
    const positions = tree.variable(POSITIONS);
    const seen = tf.add(linearHead(tree, BRIDGE, encoded), tf.gather(positions, visibleIndices));
    const unseen = tf.add(tf.gather(positions, tf.tensor1d(mask.hidden, 'int32')), tree.variable(MASK_TOKEN));
    const input = tf.concat(
      [
        tf.reshape(seen, [batch, visibleCount, width]),
        tf.reshape(unseen, [batch, hiddenCount, width]),
      ] as tf.Tensor3D[],
      1,
    ); // [batch, patches, decoderModel]
    const { hidden } = openStack(tree, decoder, DECODER_GROUP)(input, { mask: { kind: 'full' } });
    const decoded = tf.reshape(tf.slice(hidden, [0, visibleCount, 0], [-1, -1, -1]), [-1, width]) as tf.Tensor2D;
    const predicted = linearHead(tree, HEAD, finalNorm(decoded, tree, DECODER_GROUP)); // [batch · hidden, patchWidth]
    const pixels = tf.reshape(pickPatches(all, mask.hidden), [-1, patchWidth]);
    const { mean, variance } = tf.moments(pixels, 1, true);
    const target = tf.div(tf.sub(pixels, mean), tf.sqrt(tf.add(variance, 1e-6)));
    return tf.div(tf.sum(tf.squaredDifference(predicted, target)), hiddenCount * patchWidth);
  };
  return {
    name: 'maskedPatches',
    weight: config.weight,
    seesWholeImages: false,
    multiplyAdds:
      imageMultiplyAdds(vision, visibleCount) +
      visibleCount * vision.stack.dModel * width +
      stackMultiplyAdds(decoder, patches, 'full') +
      hiddenCount * width * patchWidth,
    createParameters: (initSeed) =>
      new Map([
        ...createStackParameters(DECODER_GROUP, decoder, initSeed),
        ...createLinearHead(BRIDGE, vision.stack.dModel, width, initSeed),
        ...createLinearHead(HEAD, width, patchWidth, initSeed),
        [MASK_TOKEN, normalTensor([1, width], 0.02, createRandom(initSeed, 'init', MASK_TOKEN))],
        [POSITIONS, normalTensor([patches, width], 0.02, createRandom(initSeed, 'init', POSITIONS))],
      ]),
    loss: squaredError,
    measure: (input) => ({ maskedError: { sum: squaredError(input), count: input.batch.batch } }),
  };
};
