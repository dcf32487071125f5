import { z } from 'zod';
import { tf } from '#src/engine';
import { ConfigError } from '#src/errors';
import { softmaxCrossEntropy } from '#src/kernels';
import { pooled, VISION_GROUP } from '../model/backbone.js';
import { createLinearHead, linearHead } from './linearHead.js';
import { type ObjectiveFactory, type ObjectiveInput, type TargetsOf, targetsIn } from './objective.js';

/** One class per image. */
export const ClassifyConfig = z
  .strictObject({
    kind: z.literal('classify'),
    weight: z.number().positive().default(1).describe('factor of this loss in the sum'),
  })
  .describe('the class of the image');

const HEAD = `${VISION_GROUP}/head/classify`;

/** Softmax cross-entropy of a linear head on the pooled image. Measures accuracy. */
export const createClassify: ObjectiveFactory<z.output<typeof ClassifyConfig>> = ({ weight }, vision, labels) => {
  const numClasses = labels.classNames?.length ?? 0;
  if (numClasses === 0) throw new ConfigError('objectives: classify: expected a class per image in the data, got none');
  const logits = ({ tree, states }: ObjectiveInput): tf.Tensor2D =>
    linearHead(tree, HEAD, pooled(vision, states().normed)); // [batch, numClasses]
  const targets: TargetsOf = ({ labels, batch }) => [{ values: labels as Int32Array, shape: [batch] }];
  const classes = (input: ObjectiveInput): tf.Tensor1D => targetsIn(input, targets)[0] as tf.Tensor1D;
  return {
    name: 'classify',
    weight,
    seesWholeImages: true,
    multiplyAdds: vision.stack.dModel * numClasses,
    targets,
    createParameters: (seed) => createLinearHead(HEAD, vision.stack.dModel, numClasses, seed),
    loss: (input) => tf.sum(softmaxCrossEntropy(logits(input), classes(input), tf.ones([input.batch.batch]))),
    measure: (input) => {
      const hits = tf.sum(tf.cast(tf.equal(tf.argMax(logits(input), 1), classes(input)), 'float32'));
      return { accuracy: { sum: hits, count: input.batch.batch } };
    },
  };
};
