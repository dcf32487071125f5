import { z } from 'zod';
import { formerKeys } from '#src/config';
import { InitFromSmaller, TrainingConfig } from '#src/training';
import { AugmentConfig, ImageDataConfig } from './data/index.js';
import { AnyVisionConfig } from './model/config.js';
import { ObjectiveConfig } from './objectives/index.js';

/** An experiment file that pretrains a vision backbone; paths start at the working root. */
export const VisionExperiment = z.strictObject({
  kind: z.literal('vision'),
  name: z.string().min(1).describe('name of the run, and of its folder under --root'),
  seed: z.int().default(0).describe('draws the parameters and the order of the images'),
  model: AnyVisionConfig.describe('the backbone'),
  objectives: z.array(ObjectiveConfig).min(1).describe('what the backbone learns to predict; their losses are added'),
  data: formerKeys(
    z.strictObject({
      train: ImageDataConfig.describe('the images to learn from'),
      validation: ImageDataConfig.optional().describe(
        "images for validation, labelled as train's; unless given, the validationShare of train",
      ),
      augment: AugmentConfig.optional().describe('random changes to training images; none unless given'),
      maxValidationImages: z.int().positive().default(1000).describe('most images to read in each validation'),
    }),
    { evaluationImages: 'maxValidationImages' },
  ).describe('the images'),
  initFrom: InitFromSmaller.optional(),
  training: TrainingConfig,
});
export type VisionExperiment = z.output<typeof VisionExperiment>;
