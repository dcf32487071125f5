import { z } from 'zod';
import { TokenFormerConfig } from '#src/tokenformer';

/** A vision TokenFormer: a stack over patch tokens with learned absolute positions. */
export const VisionConfig = z
  .strictObject({
    imageSize: z.int().positive().describe('height and width in pixels; every image is resized to it'),
    patchSize: z.int().positive().describe('height and width of a patch in pixels; divides imageSize'),
    pooling: z
      .enum(['mean', 'classToken'])
      .default('mean')
      .describe('what stands for the whole image: the mean of the patch tokens, or a class token before them'),
    stack: TokenFormerConfig,
  })
  .superRefine((config, context) => {
    if (config.imageSize % config.patchSize !== 0) {
      context.addIssue({
        code: 'custom',
        path: ['patchSize'],
        message: `expected a divisor of imageSize ${config.imageSize}, got ${config.patchSize}`,
      });
    }
  });

export type VisionConfig = z.output<typeof VisionConfig>;

/** Patches of an image: (imageSize / patchSize)². */
export function numPatches({ imageSize, patchSize }: VisionConfig): number {
  return (imageSize / patchSize) ** 2;
}

/** Tokens of an image: its patches and, with class-token pooling, the class token before them. */
export function numImageTokens(config: VisionConfig): number {
  return numPatches(config) + (config.pooling === 'classToken' ? 1 : 0);
}
