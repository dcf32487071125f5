import { z } from 'zod';

const TestSet = z.strictObject({
  name: z
    .string()
    .regex(/^[\w][\w .-]*$/, 'expected letters, digits, spaces and . _ - alone: the name is a folder of predictions'),
  captions: z.string().min(1).describe('COCO captions JSON'),
  images: z.string().min(1).optional(),
  scenes: z.string().min(1).optional().describe('ground truth of drawn scenes: adds attribute accuracies'),
});

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
  constantFrom: z.string().min(1).optional().describe('training captions that the best constant caption is taken from'),
  maxTokens: z.int().positive().default(48).describe('longest generated caption'),
  batchSize: z.int().positive().default(100),
});
export type EvaluateExperiment = z.output<typeof EvaluateExperiment>;
