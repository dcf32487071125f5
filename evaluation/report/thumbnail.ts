import sharp from 'sharp';
import { withFileBytes } from '#src/data';
import { UserError } from '#src/errors';
import { type ByteSource, systemErrorWords } from '#src/storage';
import { decodeImage, encodePng, inspectImage, largestFile, type VisionModelConfig } from '#vision';

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
  return await readable(image, async (bytes) => {
    if (isPng(bytes) && bytes.length <= LARGEST_BYTES) return bytes;
    await inspectImage(bytes);
    return await sharp(bytes, { autoOrient: true })
      .flatten({ background: '#ffffff' })
      .resize(LARGEST_SIDE, LARGEST_SIDE, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer();
  });
}

/** The thumbnail, or undefined for an image that can no longer be read. */
export async function thumbnailIfReadable(image: ByteSource): Promise<Uint8Array | undefined> {
  return await ifReadable(() => thumbnail(image));
}

/** The pixels that a model reads of an image, as a PNG: what its patches lie on. Undefined when it can no longer be read. */
export async function modelView(
  image: ByteSource,
  { backbone: { imageSize }, preprocessing }: Pick<VisionModelConfig, 'backbone' | 'preprocessing'>,
): Promise<Uint8Array | undefined> {
  const pixels = await ifReadable(() =>
    readable(image, (bytes) => decodeImage(bytes, { imageSize, ...preprocessing })),
  );
  return pixels && (await encodePng(pixels, imageSize));
}

async function ifReadable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

async function readable<T>(image: ByteSource, use: (bytes: Buffer) => Promise<T>): Promise<T> {
  try {
    return await withFileBytes(image, largestFile({}), use);
  } catch (error) {
    throw new UserError(`cannot decode image ${image.path}: ${systemErrorWords(error)}`);
  }
}
