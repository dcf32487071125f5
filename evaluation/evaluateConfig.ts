import { z } from 'zod';
import { captionKeys, refuseImagesTwice } from '#captions/formats';
import { Decoding } from '#language';

const TestSet = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w][\w .-]*$/, 'expected letters, digits, spaces and . _ - alone: the name is a folder of predictions'),
    ...captionKeys,
    scenes: z.string().min(1).optional().describe('ground truth of drawn scenes: adds attribute accuracies'),
  })
  .superRefine(refuseImagesTwice);

/** An experiment file that captions test sets and scores the captions beside their controls. */
export const EvaluateExperiment = z.strictObject({
  kind: z.literal('evaluate'),
  name: z.string().min(1),
  seed: z.int().default(0).describe('draws the shuffling of images'),
  model: z.string().min(1).describe('a merged or aligned model'),
  upperBound: z.string().min(1).optional().describe('a model aligned with train: all; its row is added when it exists'),
  sets: z
    .array(TestSet)
    .min(1)
    .superRefine((sets, context) => {
      for (const [i, { name }] of sets.entries()) {
        if (sets.findIndex((other) => other.name === name) === i) continue;
        context.addIssue({
          code: 'custom',
          path: [i, 'name'],
          message: `expected a name of its own, got '${name}' again`,
        });
      }
    }),
  train: z
    .strictObject(captionKeys)
    .superRefine(refuseImagesTwice)
    .optional()
    .describe('what alignment was trained on: constant captions and nearest neighbours are taken from it'),
  decoding: Decoding.prefault({ method: 'greedy' }).describe('how captions are made; kept with the scores'),
  batchSize: z.int().positive().default(100),
  /** The controls that cost time; the others are always there. */
  controls: z
    .strictObject({
      randomVision: z.boolean().default(true).describe('captions once more, over a vision backbone drawn anew'),
      nearestNeighbour: z.boolean().default(true).describe('runs the vision backbone over training images'),
      neighbourImages: z.int().positive().default(5000).describe('training images that are searched, drawn by seed'),
    })
    .prefault({}),
  retrieval: z
    .strictObject({
      poolSize: z.int().min(0).default(100).describe('images, each weighed against every caption; 0: no retrieval'),
    })
    .prefault({}),
  bootstrapSamples: z.int().positive().default(1000).describe('resamples behind every interval'),
  report: z
    .strictObject({
      examples: z.int().min(0).default(12).describe('captions shown word by word, over all sets; 0: no word is traced'),
      gallery: z.int().min(0).default(6).describe('best, worst and random captions shown, each, of a set'),
    })
    .prefault({}),
});
export type EvaluateExperiment = z.output<typeof EvaluateExperiment>;
