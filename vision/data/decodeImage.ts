import sharp, { type Metadata } from 'sharp';
import { CANNOT_DECODE, createMemoryBudget, imageFormatOf } from '#src/data';
import { decodeMemory } from './decodeMemory.js';
import { decodePlainPng } from './decodePlainPng.js';

// libvips keeps the decoders of the last hundred images, memory included, in case that the same bytes come again.
sharp.cache(false);

/** The settings that determine the pixels of a decoded image, apart from its file. */
export interface DecodeSettings {
  /** Side of the square result, in pixels. */
  readonly imageSize: number;
  readonly resize: 'stretch' | 'cover' | 'contain';
  /** Red, green, blue in 0..255. */
  readonly background: readonly [number, number, number];
  /** Largest width × height. Default: 200 million, and no image that needs more than `MAX_DECODE_BYTES`. */
  readonly maxImagePixels?: number | undefined;
  /** The most memory, file included, that the image may take. Default: `MAX_DECODE_BYTES`, none where `maxImagePixels` is given. */
  readonly maxDecodeBytes?: number;
  /** What sets that limit, for messages. Default: `maxImagePixels`. */
  readonly limitName?: string;
}

/** Identifies the decoder, because resampling may differ between versions. */
export const DECODER_VERSION = `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`;

/** The most memory, file included, that one image may take unless it is allowed more. */
export const MAX_DECODE_BYTES = 448 * 2 ** 20;

/** The largest file to read, in bytes. */
export function largestFile({ maxImagePixels }: Pick<DecodeSettings, 'maxImagePixels'>): number {
  return maxImagePixels === undefined ? MAX_DECODE_BYTES : 2 ** 31;
}

const MAX_PIXELS = 200_000_000;

/** Images that are decoded at the same time share this much memory. */
const decoding = createMemoryBudget(MAX_DECODE_BYTES);

/**
 * Longest side of a plain PNG, in pixels, that is decoded on this thread. A call to sharp costs about 1 ms at any size, ten
 * times as much as decoding 48 x 48 pixels here; from about 200 on, its threads are faster.
 */
const LARGEST_PLAIN_SIDE = 128;

const FIT = { stretch: 'fill', cover: 'cover', contain: 'contain' } as const;

/**
 * Decodes an image file (JPEG, PNG, WebP, GIF, AVIF, TIFF) into RGB bytes [imageSize, imageSize, 3]: EXIF orientation applied,
 * transparency blended onto `background`, greyscale repeated over the channels, animations reduced to the first frame.
 * When enlarging, libvips shifts the image by half an output pixel down and right
 * (https://github.com/libvips/libvips/issues/943).
 *
 * @throws Error with a one-line reason when the bytes are not an image, are truncated, or would take too much memory
 */
export async function decodeImage(bytes: Uint8Array, settings: DecodeSettings): Promise<Uint8Array> {
  const { imageSize, maxImagePixels = MAX_PIXELS } = settings;
  const mayBePlain = imageSize <= LARGEST_PLAIN_SIDE && imageSize ** 2 <= maxImagePixels;
  const plain = mayBePlain ? decodePlainPng(bytes, imageSize) : undefined;
  if (plain !== undefined) return plain;
  try {
    const metadata = await inspectImage(bytes, settings);
    return await decoding.within(decodeMemory(metadata), () => decodeWhole(bytes, metadata, settings));
  } catch (error) {
    throw new Error(oneLine((error as Error).message));
  }
}

/** What libvips says, without what it puts before each reason; sometimes that is nothing. */
function oneLine(message: string): string {
  const reasons = message.replace(/^Input buffer (has corrupt header|contains)[: ]*/, '').split('\n');
  const reason = reasons.map((line) => line.trim()).find((line) => line !== '' && line !== 'Unknown error');
  return reason ?? 'damaged or truncated';
}

/**
 * What the header of an image file says, without decoding it.
 *
 * @throws Error when it is not an image of a known format, or too large
 */
export async function inspectImage(
  bytes: Uint8Array,
  {
    maxImagePixels,
    maxDecodeBytes = maxImagePixels === undefined ? MAX_DECODE_BYTES : Number.POSITIVE_INFINITY,
    limitName = 'maxImagePixels',
  }: Pick<DecodeSettings, 'maxImagePixels' | 'maxDecodeBytes' | 'limitName'> = {},
): Promise<Metadata> {
  if (bytes.length === 0) throw new Error('an empty file');
  const format = imageFormatOf(bytes);
  if (format === undefined) throw new Error('unsupported image format');
  if (!format.decoded) throw new Error(`${format.name}: ${CANNOT_DECODE}`);
  const metadata = await sharp(bytes, { failOn: 'error', limitInputPixels: false }).metadata();
  const { width, height } = metadata;
  const most = maxImagePixels ?? MAX_PIXELS;
  if (width * height > most) {
    throw new Error(`${width} × ${height} pixels; expected at most ${most} (${limitName}): make it smaller`);
  }
  const needed = bytes.length + decodeMemory(metadata);
  if (needed > maxDecodeBytes) {
    const [mb, mostMb] = [needed, maxDecodeBytes].map((count) => Math.round(count / 2 ** 20));
    throw new Error(
      `${width} × ${height} pixels, which take ${mb} MB to decode; expected at most ${mostMb}: make it smaller${maxImagePixels === undefined ? `, or allow it by ${limitName}` : ''}`,
    );
  }
  return metadata;
}

async function decodeWhole(
  bytes: Uint8Array,
  metadata: Metadata,
  { imageSize, resize, background: [r, g, b] }: DecodeSettings,
): Promise<Uint8Array> {
  const image = sharp(bytes, { failOn: 'error', autoOrient: true, limitInputPixels: false });
  if (needsColour(metadata, resize)) image.pipelineColourspace(metadata.depth === 'ushort' ? 'rgb16' : 'srgb');
  const { data, info } = await image
    .flatten({ background: { r, g, b } })
    .resize(imageSize, imageSize, { fit: FIT[resize], background: { r, g, b } })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels, not 3`);
  return data;
}

/**
 * Whether a grey image must become RGB before a background shows behind or around it: libvips would use the background's
 * luminance. Only then, because JPEGs are then not read at reduced size; a profile of grey levels converts by itself.
 */
function needsColour({ channels, depth, icc }: Metadata, resize: DecodeSettings['resize']): boolean {
  const showsBackground = channels === 2 || (channels === 1 && resize === 'contain');
  return showsBackground && !(depth === 'uchar' && icc?.toString('latin1', 16, 20) === 'GRAY');
}
