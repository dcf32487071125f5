import { z } from 'zod';
import { MATMUL_PRECISIONS } from '#src/engine';
import { growthKeys, refuseNoGrowth } from '#src/stacks';
import { NestedConfig } from './nested.js';

const count = z.int().positive();

/** A growth in the middle of a run. */
const GrowthStage = z
  .strictObject({
    afterStep: count.describe('the step after which the model grows'),
    ...growthKeys,
    optimizer: z
      .enum(['keep', 'reset'])
      .default('keep')
      .describe('moments of AdamW: kept, with zeros for what is new, or none'),
    warmupSteps: z
      .int()
      .min(0)
      .default(0)
      .describe('steps of linear warm-up after the growth, from 0 to the schedule at that step'),
  })
  .superRefine(refuseNoGrowth);
export type GrowthStage = z.output<typeof GrowthStage>;

/** A factor of the learning rate. */
const LearningRate = z
  .strictObject({
    names: z.string().min(1).optional().describe('of parameters whose names contain this word'),
    tokens: z
      .enum(['old', 'new'])
      .optional()
      .describe('of parameter tokens from before the last growth of this run, or since'),
    factor: z.number().min(0).describe('multiplies the learning rate; 0 keeps the parameters as they are'),
  })
  .refine(
    ({ names, tokens }) => names !== undefined || tokens !== undefined,
    'expected names, tokens or both, got neither',
  );
export type LearningRate = z.output<typeof LearningRate>;

/** How a model is trained: AdamW, global-norm clipping, warm-up then a schedule to a floor. */
export const TrainingConfig = z
  .strictObject({
    steps: z.int().min(0).describe('optimizer steps; 0 writes the untrained parameters, a control'),
    batchSize: count.describe('sequences, images or pairs in one micro-batch'),
    gradientAccumulation: count.default(1).describe('micro-batches per optimizer step'),
    learningRate: z.number().positive().describe('peak of the learning rate, reached after warm-up'),
    finalLearningRateShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('learning rate at the last step, as a share of the peak; the schedule leads there'),
    schedule: z
      .enum(['cosine', 'wsd'])
      .optional()
      .describe(
        'after the warm-up. cosine: down to the last step; wsd: constant, then linear over the decayShare; cosine unless given',
      ),
    decayShare: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('share of the steps, the last ones, over which wsd falls; 0.2 unless given, 0 keeps the peak'),
    warmupSteps: z.int().min(0).default(0).describe('steps of linear warm-up; fewer than steps'),
    beta1: z.number().min(0).lt(1).default(0.9).describe('AdamW: decay of the mean of the gradient'),
    beta2: z.number().min(0).lt(1).default(0.95).describe('AdamW: decay of the mean of its square'),
    adamEpsilon: z.number().positive().default(1e-8).describe('AdamW: added to the denominator'),
    weightDecay: z
      .number()
      .min(0)
      .default(0.1)
      .describe('AdamW: decoupled weight decay, of matrices only, never of norms, positions or gates'),
    matmulPrecision: z
      .enum(MATMUL_PRECISIONS)
      .default('highest')
      .describe(
        'operands of large products in training steps: highest is float32; tf32 needs engine cuda; bf16 needs engine cuda, or ' +
          'native and AVX512-BF16',
      ),
    recompute: z
      .boolean()
      .optional()
      .describe(
        'keep only the input of each block for the gradient, and compute the block again there: less memory, more time, the ' +
          'same gradients',
      ),
    clipNorm: z.number().positive().default(1).describe('the gradient is scaled down to this global norm'),
    logEvery: count.default(10).describe('steps between lines of metrics.jsonl'),
    evaluateEvery: count.default(200).describe('steps between validations'),
    checkpointEvery: count.default(200).describe('steps between checkpoints'),
    patience: count
      .optional()
      .describe('validations without a better result before training stops; unless given, it runs all steps'),
    learningRates: z
      .array(LearningRate)
      .min(1)
      .optional()
      .describe('factors of the learning rate by parameter; those that fit are multiplied'),
    stages: z
      .array(GrowthStage)
      .min(1)
      .optional()
      .describe('growths in the middle of the run, in the order of their steps; of vision and language backbones'),
    nested: NestedConfig.optional(),
  })
  .superRefine((config, context) => {
    if (config.steps > 0 && config.warmupSteps >= config.steps) {
      context.addIssue({
        code: 'custom',
        path: ['warmupSteps'],
        message: `expected fewer than training.steps, ${config.steps}, got ${config.warmupSteps}; lower it too`,
      });
    }
  })
  .superRefine(({ steps, schedule, decayShare, stages = [] }, context) => {
    if (decayShare !== undefined && schedule !== 'wsd') {
      context.addIssue({
        code: 'custom',
        path: ['decayShare'],
        message: 'has no effect: expected schedule wsd with it',
      });
    }
    for (const [i, { afterStep }] of stages.entries()) {
      const path = ['stages', i, 'afterStep'];
      const before = i === 0 ? 0 : stages[i - 1].afterStep;
      if (i > 0 && afterStep <= before) {
        context.addIssue({
          code: 'custom',
          path,
          message: `expected more than the stage before, ${before}, got ${afterStep}`,
        });
      }
      if (afterStep >= steps) {
        const message = `expected fewer than training.steps, ${steps}, got ${afterStep}`;
        context.addIssue({ code: 'custom', path, message });
      }
    }
  })
  .describe('how the parameters are trained: AdamW, clipping by global norm, warm-up, then a schedule');

export type TrainingConfig = z.output<typeof TrainingConfig>;
