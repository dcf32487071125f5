import { z } from 'zod';
import { StackConfig, stackMultiplyAdds, TokenFormerStack } from '#src/stacks';

const shape = {
  imageSize: z.int().positive().describe('height and width in pixels; every image is resized to it'),
  patchSize: z.int().positive().describe('height and width of a patch in pixels; divides imageSize'),
  pooling: z
    .enum(['mean', 'classToken'])
    .default('mean')
    .describe('what stands for the whole image: the mean of the patch tokens, or a class token before them'),
};

const checkPatches: z.core.CheckFn<{ imageSize: number; patchSize: number }> = ({ value, issues }) => {
  if (value.imageSize % value.patchSize === 0) return;
  issues.push({
    code: 'custom',
    input: value,
    path: ['patchSize'],
    message: `expected a divisor of imageSize ${value.imageSize}, got ${value.patchSize}`,
  });
};

/** A vision TokenFormer: a stack over patch tokens with learned absolute positions. */
export const VisionConfig = z.strictObject({ ...shape, stack: TokenFormerStack }).check(checkPatches);
export type VisionConfig = z.output<typeof VisionConfig>;

/** A vision backbone: a TokenFormer, or the standard Transformer that it is compared with. */
export const AnyVisionConfig = z.strictObject({ ...shape, stack: StackConfig }).check(checkPatches);
export type AnyVisionConfig = z.output<typeof AnyVisionConfig>;

/** Patches of an image: (imageSize / patchSize)². */
export function numPatches({ imageSize, patchSize }: AnyVisionConfig): number {
  return (imageSize / patchSize) ** 2;
}

/** Tokens of an image: its patches and, with class-token pooling, the class token before them. */
export function numImageTokens(config: AnyVisionConfig): number {
  return numPatches(config) + (config.pooling === 'classToken' ? 1 : 0);
}

/**
 * Multiplications with an addition in the products of a backbone's forward pass over one image.
 *
 * @param patches that it sees; all unless given
 */
export function imageMultiplyAdds(config: AnyVisionConfig, patches = numPatches(config)): number {
  const tokens = patches + numImageTokens(config) - numPatches(config);
  const embedding = patches * config.patchSize ** 2 * 3 * config.stack.dModel;
  return embedding + stackMultiplyAdds(config.stack, tokens, 'full');
}
