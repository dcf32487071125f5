import { z } from 'zod';
import { captionKeys, refuseImagesTwice } from '#captions/formats';
import { InitFrom, TrainingConfig } from '#src/training';
import { InitBridges } from './initBridges.js';
import { CAPTION_METRICS, objectiveKeys } from './objectives/index.js';

const PairsSource = z.strictObject(captionKeys).superRefine(refuseImagesTwice);

/** An experiment file that aligns a merged model on image-caption pairs; paths start at the working root. */
export const AlignExperiment = z.strictObject({
  kind: z.literal('align'),
  name: z.string().min(1).describe('name of the run, and of its folder under --root'),
  seed: z.int().default(0).describe('draws the order of the pairs'),
  model: z.string().min(1).describe('a merged model: its folder, from --root'),
  data: z
    .strictObject({
      train: PairsSource.describe('the pairs to learn from'),
      validation: z
        .strictObject({
          ...captionKeys,
          scenes: z
            .string()
            .min(1)
            .optional()
            .describe('the scenes.json of drawn scenes: adds the forced choice of relations to the metrics'),
        })
        .superRefine(refuseImagesTwice)
        .describe('pairs that decide which checkpoint is the best'),
      seqLen: z
        .int()
        .positive()
        .optional()
        .describe("longest caption in tokens, end-of-text included; the language model's seqLen unless given"),
      maxPairs: z.int().positive().optional().describe('number of pairs to train on, the first ones; all unless given'),
    })
    .describe('the image-caption pairs'),
  train: z
    .union([z.enum(['bridge', 'all']), z.array(z.string().min(1)).min(1)])
    .default('bridge')
    .describe(
      'what is trained. bridge: bridge groups and gates; a list: those of them whose name contains one of these words; all: the ' +
        'backbones too',
    ),
  ...objectiveKeys,
  bridgeDropout: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('probability that a parameter token of a bridge group is left out of a training step; none unless given'),
  selectBy: z
    .enum(CAPTION_METRICS)
    // No default in the parsed file: the digests of records that were made before this key stay what they are.
    .optional()
    .describe(
      'which metric of the validation pairs decides the best checkpoint. captionNll: their NLL; captionAccuracy: the share of their ' +
        'tokens that are the likeliest after those before, which goes on rising, with few pairs, when the NLL no longer falls; ' +
        'captionNll unless given',
    ),
  initBridges: InitBridges.optional().describe(
    'bridges that read image states start from a closed-form fit to the training pairs, so that an image is read as the mean of its captions; none unless given',
  ),
  initFrom: InitFrom.describe(
    'takes the bridges of another alignment instead of those of `model`: of the same backbones, or of others of the same shape; none unless given',
  ).optional(),
  training: TrainingConfig,
});
export type AlignExperiment = z.output<typeof AlignExperiment>;
