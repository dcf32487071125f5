import { UserError } from '#src/errors';
import { readBytes } from '#src/storage';
import { decodeImage, type VisionModelConfig } from '#vision';
import type { ImageInput } from '../imageInput.js';

/**
 * Pixels of images as a vision model reads them.
 *
 * @returns [batch, imageSize, imageSize, 3], in [−1, 1]
 * @throws UserError naming an image that cannot be read or decoded
 */
export async function pixelsOf(
  images: readonly ImageInput[],
  { backbone: { imageSize }, preprocessing }: VisionModelConfig,
): Promise<{ values: Float32Array; shape: [number, number, number, number] }> {
  if (images.length === 0) throw new UserError('images: expected at least one, got none');
  const decoded = await Promise.all(
    images.map((image, i) => {
      const name = typeof image === 'string' ? image : `${i} (bytes)`;
      const bytes = typeof image === 'string' ? readBytes(image, 'image') : image;
      return decodeImage(bytes, { imageSize, ...preprocessing }).catch((error: Error) => {
        throw new UserError(`cannot decode image ${name}: ${error.message}`);
      });
    }),
  );
  return {
    values: Float32Array.from(Buffer.concat(decoded), (byte) => byte / 127.5 - 1),
    shape: [images.length, imageSize, imageSize, 3],
  };
}
