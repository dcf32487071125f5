import { z } from 'zod';
import { captionKeys, refuseImagesTwice } from '#captions/formats';
import { TrainingConfig } from '#src/training';
import { objectiveKeys } from './objectives/index.js';

const PairsSource = z.strictObject(captionKeys).superRefine(refuseImagesTwice);

/** An experiment file that aligns a merged model on image-caption pairs; paths start at the working root. */
export const AlignExperiment = z.strictObject({
  kind: z.literal('align'),
  name: z.string().min(1),
  seed: z.int().default(0),
  model: z.string().min(1).describe('a merged model'),
  data: z.strictObject({
    train: PairsSource,
    validation: z
      .strictObject({
        ...captionKeys,
        scenes: z
          .string()
          .min(1)
          .optional()
          .describe('ground truth of drawn scenes: adds the forced choice of relations to the validation metrics'),
      })
      .superRefine(refuseImagesTwice)
      .describe('decides the best checkpoint'),
    seqLen: z
      .int()
      .positive()
      .optional()
      .describe("longest caption in tokens, the end-of-text token counted; the language model's seqLen unless given"),
    maxPairs: z.int().positive().optional().describe('train on the first so many pairs only'),
  }),
  /** `bridge`: bridge groups and gates. A list of words: those of them whose name contains one. `all`: the backbones too. */
  train: z.union([z.enum(['bridge', 'all']), z.array(z.string().min(1)).min(1)]).default('bridge'),
  ...objectiveKeys,
  training: TrainingConfig,
});
export type AlignExperiment = z.output<typeof AlignExperiment>;
