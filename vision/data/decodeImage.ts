import sharp from 'sharp';
import { decodePlainPng } from './decodePlainPng.js';

/** What decides the pixels of a decoded image, apart from its file. */
export interface DecodeSettings {
  /** Side of the square result, in pixels. */
  readonly imageSize: number;
  readonly resize: 'stretch' | 'cover' | 'contain';
  /** Red, green, blue in 0..255. */
  readonly background: readonly [number, number, number];
}

/** Names the decoder, whose resampling may differ between versions. */
export const DECODER_VERSION = `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`;

/**
 * Longest side of a plain PNG, in pixels, that is decoded in this thread. A call of sharp costs about 1 ms whatever the
 * size, ten times what 48 x 48 pixels take here; from about 200 on its threads are faster.
 */
const LARGEST_PLAIN_SIDE = 128;

const FIT = { stretch: 'fill', cover: 'cover', contain: 'contain' } as const;

/**
 * Decodes an image file of any format sharp reads into RGB bytes [imageSize, imageSize, 3]: turned upright by its EXIF
 * orientation, transparency laid on `background`, grey levels repeated over the channels, the first frame of an animation.
 * Where the image has to be enlarged, libvips places it half a result pixel down and right
 * (https://github.com/libvips/libvips/issues/943).
 *
 * @throws Error with a one-line reason when the bytes are not an image or end too soon
 */
export async function decodeImage(bytes: Uint8Array, settings: DecodeSettings): Promise<Uint8Array> {
  const { imageSize, resize } = settings;
  const plain = imageSize <= LARGEST_PLAIN_SIDE ? decodePlainPng(bytes, imageSize) : undefined;
  if (plain !== undefined) return plain;
  const [r, g, b] = settings.background;
  try {
    // Bytes, not a path: libvips remembers decoded files by name and would not see that one was replaced.
    const { data, info } = await sharp(bytes, { failOn: 'error', autoOrient: true })
      .flatten({ background: { r, g, b } })
      .resize(imageSize, imageSize, { fit: FIT[resize], background: { r, g, b } })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels, not 3`);
    return data;
  } catch (error) {
    throw new Error((error as Error).message.trim().split('\n')[0]);
  }
}
