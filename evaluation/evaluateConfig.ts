import { z } from 'zod';
import { captionKeys, refuseImagesTwice } from '#captions/formats';
import { PrefixText } from '#fusion';
import { Decoding } from '#language';
import { formerKeys } from '#src/config';
import { SparsityText } from '#src/tokenformer';

const TestSet = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w][\w .-]*$/, 'expected letters, digits, spaces and . _ - alone: the name is a folder of predictions')
      .describe('name of the set in tables, and of its folder of predictions'),
    ...captionKeys,
    scenes: z.string().min(1).optional().describe('the scenes.json of drawn scenes: adds attribute accuracies'),
  })
  .superRefine(refuseImagesTwice);

/** An experiment file that captions test sets and scores the captions together with their controls. */
export const EvaluateExperiment = z.strictObject({
  kind: z.literal('evaluate'),
  name: z.string().min(1).describe('name of the run, and of its folder under --root'),
  seed: z.int().default(0).describe('draws the controls, such as the shuffling of images'),
  model: z.string().min(1).describe('a merged or aligned model: its run folder or checkpoint, from --root'),
  groups: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('files of groups to attach to it, as tokenfuse tune wrote them, from --root; none unless given'),
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
    })
    .describe('the images to caption, with the captions that people wrote'),
  train: z
    .strictObject(captionKeys)
    .superRefine(refuseImagesTwice)
    .optional()
    .describe(
      'captions that alignment was trained on: gives the constant caption and nearest neighbours, from its first data.maxPairs pairs where it saw no more',
    ),
  decoding: Decoding.prefault({ method: 'greedy' }).describe('how captions are made; kept with the scores'),
  prefix: PrefixText.optional().describe(
    'first parameter tokens of each backbone group to use, in all models: 50%, 64 or vision=25%,language=50%; all unless given',
  ),
  sparse: SparsityText.optional().describe(
    'parameter tokens of each group that a token uses, in all models: 64, 25% or clusters:8/64; all unless given',
  ),
  batchSize: z.int().positive().default(100).describe('images captioned at once'),
  controls: formerKeys(
    z.strictObject({
      randomVision: z.boolean().default(true).describe('captions again, with an untrained vision backbone'),
      nearestNeighbour: z
        .boolean()
        .default(true)
        .describe('gives each image the caption of the most similar training image'),
      maxNeighbourImages: z.int().positive().default(5000).describe('most training images to search, drawn at random'),
    }),
    { neighbourImages: 'maxNeighbourImages' },
  )
    .prefault({})
    .describe('the expensive controls; all others are always computed'),
  retrieval: z
    .strictObject({
      poolSize: z.int().min(0).default(100).describe('images, each scored against every caption; 0: no retrieval'),
    })
    .prefault({})
    .describe('finding the caption of an image by its likelihood, and the image of a caption'),
  bootstrapSamples: z.int().positive().default(1000).describe('bootstrap resamples for confidence intervals'),
  report: z
    .strictObject({
      examples: z.int().min(0).default(12).describe('captions shown word by word, over all sets; 0: no word is traced'),
      gallery: z.int().min(0).default(6).describe('best, worst and random captions shown, each, of a set'),
    })
    .prefault({})
    .describe('what the report shows'),
});
export type EvaluateExperiment = z.output<typeof EvaluateExperiment>;
