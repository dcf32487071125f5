import sharp from 'sharp';
import { decodePlainPng } from './decodePlainPng.js';

/** The settings that determine the pixels of a decoded image, apart from its file. */
export interface DecodeSettings {
  /** Side of the square result, in pixels. */
  readonly imageSize: number;
  readonly resize: 'stretch' | 'cover' | 'contain';
  /** Red, green, blue in 0..255. */
  readonly background: readonly [number, number, number];
}

/** Identifies the decoder, because resampling may differ between versions. */
export const DECODER_VERSION = `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`;

/**
 * Longest side of a plain PNG, in pixels, that is decoded on this thread. A call to sharp costs about 1 ms at any size, ten
 * times as much as decoding 48 x 48 pixels here; from about 200 on, its threads are faster.
 */
const LARGEST_PLAIN_SIDE = 128;

const FIT = { stretch: 'fill', cover: 'cover', contain: 'contain' } as const;

/**
 * Decodes an image file of any format that sharp reads into RGB bytes [imageSize, imageSize, 3]: EXIF orientation applied,
 * transparency blended onto `background`, greyscale repeated over the channels, animations reduced to the first frame.
 * When enlarging, libvips shifts the image by half an output pixel down and right
 * (https://github.com/libvips/libvips/issues/943).
 *
 * @throws Error with a one-line reason when the bytes are not an image or are truncated
 */
export async function decodeImage(bytes: Uint8Array, settings: DecodeSettings): Promise<Uint8Array> {
  const { imageSize, resize } = settings;
  const plain = imageSize <= LARGEST_PLAIN_SIDE ? decodePlainPng(bytes, imageSize) : undefined;
  if (plain !== undefined) return plain;
  const [r, g, b] = settings.background;
  try {
    // Bytes, not a path: libvips caches decoded files by name and would miss that one was replaced.
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
