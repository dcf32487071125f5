import { z } from 'zod';
import { MATMUL_PRECISIONS } from '#src/engine';

const count = z.int().positive();

/** How a model is trained: AdamW, global-norm clipping, warm-up then cosine to a floor. */
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
      .describe('learning rate at the last step, as a share of the peak; a cosine leads there'),
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
        'operands of large products in training steps: highest is float32; bf16 needs engine native and AVX512-BF16',
      ),
    clipNorm: z.number().positive().default(1).describe('the gradient is scaled down to this global norm'),
    logEvery: count.default(10).describe('steps between lines of metrics.jsonl'),
    evaluateEvery: count.default(200).describe('steps between validations'),
    checkpointEvery: count.default(200).describe('steps between checkpoints'),
    patience: count
      .optional()
      .describe('validations without a better result before training stops; unless given, it runs all steps'),
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
  .describe('how the parameters are trained: AdamW, clipping by global norm, warm-up, then a cosine');

export type TrainingConfig = z.output<typeof TrainingConfig>;
