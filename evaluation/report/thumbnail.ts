import sharp from 'sharp';
import { UserError } from '#src/errors';
import { type ByteSource, readBytes } from '#src/storage';
import { decodeImage, type VisionModelConfig } from '#vision';

/** Larger files are made smaller before they are embedded. */
const LARGEST_BYTES = 20_000;
const LARGEST_SIDE = 320;

const isPng = (bytes: Buffer): boolean => bytes.subarray(1, 4).toString('latin1') === 'PNG';

/**
 * An image file small enough for a page: a small PNG as it is, any other as a JPEG of at most 320 pixels a side.
 *
 * @throws UserError naming the file when it is not an image
 */
export async function thumbnail(image: ByteSource): Promise<Uint8Array> {
  const bytes = readBytes(image, 'image');
  if (isPng(bytes) && bytes.length <= LARGEST_BYTES) return bytes;
  return await readable(image, () =>
    sharp(bytes, { autoOrient: true })
      .flatten({ background: '#ffffff' })
      .resize(LARGEST_SIDE, LARGEST_SIDE, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer(),
  );
}

/**
 * The pixels that a model reads of an image, as a PNG: what its patches lie on.
 *
 * @throws UserError naming the file when it is not an image
 */
export async function modelView(
  image: ByteSource,
  { backbone: { imageSize }, preprocessing }: Pick<VisionModelConfig, 'backbone' | 'preprocessing'>,
): Promise<Uint8Array> {
  const pixels = await readable(image, () => decodeImage(readBytes(image, 'image'), { imageSize, ...preprocessing }));
  return sharp(pixels, { raw: { width: imageSize, height: imageSize, channels: 3 } })
    .png()
    .toBuffer();
}

async function readable<T>(image: ByteSource, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot decode image ${image.path}: ${(error as Error).message.split('\n')[0]}`);
  }
}
