import { z } from 'zod';
import { MATMUL_PRECISIONS } from '#src/engine';

const count = z.int().positive();

/** How a model is trained: AdamW, global-norm clipping, warm-up then cosine to a floor. */
export const TrainingConfig = z
  .strictObject({
    steps: z.int().min(0).describe('optimizer steps; 0 writes the parameters as they were drawn, a control'),
    batchSize: count.describe('sequences, images or pairs in one micro-batch'),
    gradientAccumulation: count.default(1).describe('micro-batches to one optimizer step'),
    learningRate: z.number().positive().describe('peak, reached after warm-up'),
    finalLearningRateShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe('floor of the cosine, as a share of the peak'),
    warmupSteps: z.int().min(0).default(0),
    beta1: z.number().min(0).lt(1).default(0.9),
    beta2: z.number().min(0).lt(1).default(0.95),
    adamEpsilon: z.number().positive().default(1e-8),
    weightDecay: z.number().min(0).default(0.1).describe('decoupled; matrices only, never norms, positions or gates'),
    matmulPrecision: z
      .enum(MATMUL_PRECISIONS)
      .default('highest')
      .describe('operands of large products in training steps; bf16 needs engine native and AVX512-BF16'),
    clipNorm: z.number().positive().default(1).describe('largest global norm of the gradient'),
    logEvery: count.default(10),
    evaluateEvery: count.default(200),
    checkpointEvery: count.default(200),
    patience: count.optional().describe('stop after so many evaluations without a better one'),
  })
  .superRefine((config, context) => {
    if (config.steps > 0 && config.warmupSteps >= config.steps) {
      context.addIssue({
        code: 'custom',
        path: ['warmupSteps'],
        message: `expected fewer than steps ${config.steps}, got ${config.warmupSteps}`,
      });
    }
  });

export type TrainingConfig = z.output<typeof TrainingConfig>;
