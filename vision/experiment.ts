import { z } from 'zod';
import { formerKeys } from '#src/config';
import { InitFromSmaller, TrainingConfig } from '#src/training';
import { AugmentConfig, ImageDataConfig } from './data/index.js';
import { AnyVisionConfig } from './model/config.js';
import { hasTeacher, ObjectiveConfig } from './objectives/index.js';

/** An experiment file that pretrains a vision backbone; paths start at the working root. */
export const VisionExperiment = z
  .strictObject({
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
  })
  .superRefine(({ objectives, training }, context) => {
    const taught = objectives.find(hasTeacher);
    if (taught === undefined) return;
    const { kind } = taught;
    const refuse = (key: 'stages' | 'nested' | 'patience', why: string): void => {
      if (training[key] === undefined) return;
      const message = `expected none with objective ${kind}, ${why}`;
      context.addIssue({ code: 'custom', path: ['training', key], message });
    };
    refuse('stages', 'whose teacher keeps the size that it starts with; grow the model between two runs, by initFrom');
    refuse('patience', 'whose losses at different steps are against a teacher that moved');
    refuse('nested', 'whose teacher is the whole model; train prefixes in a second run, by initFrom');
  });
export type VisionExperiment = z.output<typeof VisionExperiment>;
