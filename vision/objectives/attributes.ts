import { z } from 'zod';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { softmaxCrossEntropy } from '#src/kernels';
import { patchTokens, pooled, VISION_GROUP } from '../model/backbone.js';
import { createLinearHead, linearHead } from './linearHead.js';
import { type ObjectiveFactory, type ObjectiveInput, type Tally, type TargetsOf, targetsIn } from './objective.js';

/** Attributes that are present or absent in the whole image, or one value per attribute for each cell of a grid. */
export const AttributesConfig = z
  .strictObject({
    kind: z.literal('attributes'),
    scope: z
      .enum(['image', 'grid'])
      .describe('image: which attributes the image has; grid: the value of each attribute in each patch'),
    weight: z.number().positive().default(1).describe('factor of this loss in the sum'),
  })
  .describe('attributes of the image or of each patch');

type AttributesConfig = z.output<typeof AttributesConfig>;

/** The objective for the scope that the configuration names. */
export const createAttributes: ObjectiveFactory<AttributesConfig> = (config, vision, labels, seed) =>
  (config.scope === 'image' ? createImageAttributes : createGridAttributes)(config, vision, labels, seed);

/**
 * Multi-label: mean over attributes of the sigmoid cross-entropy of a linear head on the pooled image. Measures precision,
 * recall (threshold 0.5) and, from them, F1 over all decisions.
 */
const createImageAttributes: ObjectiveFactory<AttributesConfig> = ({ weight }, vision, labels) => {
  const head = `${VISION_GROUP}/head/attributes`;
  const numAttributes = labels.attributeNames?.length ?? 0;
  if (numAttributes === 0) {
    throw new ConfigError('objectives: attributes of the image: expected attribute names in the data, got none');
  }
  const logits = ({ tree, states }: ObjectiveInput): tf.Tensor2D =>
    linearHead(tree, head, pooled(vision, states().normed)); // [batch, numAttributes]
  const targets: TargetsOf = ({ attributes, batch }) => [
    { values: attributes as Float32Array, shape: [batch, numAttributes] },
  ];
  return {
    name: 'imageAttributes',
    weight,
    seesWholeImages: true,
    multiplyAdds: vision.stack.dModel * numAttributes,
    targets,
    createParameters: (seed) => createLinearHead(head, vision.stack.dModel, numAttributes, seed),
    loss: (input) => {
      const z = logits(input);
      const [y] = targetsIn(input, targets);
      // −y log σ(z) − (1−y) log(1−σ(z)) = max(z, 0) − z y + log(1 + e^−|z|)
      const losses = tf.add(tf.sub(tf.relu(z), tf.mul(z, y)), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
      return tf.div(tf.sum(losses), numAttributes);
    },
    measure: (input) => {
      const predicted = tf.cast(tf.greater(logits(input), 0), 'float32');
      const [y] = targetsIn(input, targets);
      // F1 = 2·both / (predicted + present), which is a ratio of sums and so adds up over batches.
      const both = tf.sum(tf.mul(predicted, y));
      return { attributeF1: { sum: tf.mul(both, 2), count: tf.add(tf.sum(predicted), tf.sum(y)) } };
    },
  };
};

/**
 * Mean over cells and attributes of the cross-entropy of a linear head on each patch token. Measures, per attribute, the
 * accuracy over all cells and over the cells that hold something (value 0 is 'nothing here').
 */
const createGridAttributes: ObjectiveFactory<AttributesConfig> = ({ weight }, vision, labels) => {
  const head = `${VISION_GROUP}/head/gridAttributes`;
  const grid = labels.grid;
  const side = vision.imageSize / vision.patchSize;
  if (grid === undefined || grid.rows !== side || grid.cols !== side) {
    const got = grid === undefined ? 'none' : `${grid.rows}×${grid.cols} cells`;
    throw new ConfigError(
      `objectives: attributes for each grid cell: expected a label grid of ${side}×${side} cells, one per patch; got ${got}`,
    );
  }
  const sizes = grid.attributes.map(({ values }) => values.length);
  const width = sizes.reduce((sum, size) => sum + size, 0);
  const cells = grid.rows * grid.cols;
  const split = ({ tree, states }: ObjectiveInput): tf.Tensor2D[] => {
    const tokens = tf.reshape(patchTokens(vision, states().normed), [-1, vision.stack.dModel]) as tf.Tensor2D;
    const logits = linearHead(tree, head, tokens);
    // The gradient of `split` fails when there is a single part.
    return sizes.length === 1 ? [logits] : tf.split(logits, sizes, 1); // [batch · cells, values] each
  };
  /** For each attribute its value in each cell, [batch · cells]. */
  const targets: TargetsOf = (batch) => {
    const all = batch.cells as Int32Array; // [batch, cells, attributes]
    const shape = [batch.batch * cells];
    return sizes.map((_, a) => ({
      values: Int32Array.from({ length: shape[0] }, (_, i) => all[i * sizes.length + a]),
      shape,
    }));
  };
  return {
    name: 'gridAttributes',
    weight,
    seesWholeImages: true,
    multiplyAdds: cells * vision.stack.dModel * width,
    targets,
    createParameters: (seed) => createLinearHead(head, vision.stack.dModel, width, seed),
    loss: (input) => {
      const everyRow = tf.ones([input.batch.batch * cells]) as tf.Tensor1D;
      const labels = targetsIn(input, targets) as tf.Tensor1D[];
      const losses = split(input).map((logits, a) => tf.sum(softmaxCrossEntropy(logits, labels[a], everyRow)));
      return tf.div(tf.addN(losses), cells * sizes.length);
    },
    measure: (input) => {
      const tallies: Record<string, Tally> = {};
      const labels = targetsIn(input, targets) as tf.Tensor1D[];
      for (const [a, logits] of split(input).entries()) {
        const truth = labels[a];
        const right = tf.cast(tf.equal(tf.argMax(logits, 1), truth), 'float32');
        const occupied = tf.cast(tf.greater(truth, 0), 'float32');
        const { name } = grid.attributes[a];
        tallies[`gridAccuracy/${name}`] = { sum: tf.sum(right), count: truth.size };
        tallies[`gridObjectAccuracy/${name}`] = { sum: tf.sum(tf.mul(right, occupied)), count: tf.sum(occupied) };
      }
      return tallies;
    },
  };
};
