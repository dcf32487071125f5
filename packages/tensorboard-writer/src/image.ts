/** @file TensorBoard's `Summary.Image`: an encoded PNG with its size and colour space. */
import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { readMessage, writeBytes } from './message.js';

export interface EncodedImage {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** The number of channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
  readonly colorspace: number;
  readonly png: Uint8Array;
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Channels by the colour type in a PNG header; a palette (3) decodes to RGB. Source: https://www.w3.org/TR/png-3/#11IHDR */
const CHANNELS_BY_COLOR_TYPE: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

/**
 * Checks PNG bytes against the size they are said to have.
 *
 * @throws RangeError when the bytes are no PNG, or of another size
 */
export function describePng(png: Uint8Array, size: { width: number; height: number }): EncodedImage {
  const isPng = png.length >= 26 && PNG_SIGNATURE.every((byte, i) => png[i] === byte);
  if (!isPng) throw new RangeError('image: expected the bytes of a PNG file, got something else');
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  if (width !== size.width || height !== size.height) {
    throw new RangeError(`image: expected ${size.width}x${size.height} pixels, got a PNG of ${width}x${height}`);
  }
  const colorspace = CHANNELS_BY_COLOR_TYPE[png[25]];
  if (colorspace === undefined) throw new RangeError(`image: expected a PNG colour type, got ${png[25]}`);
  return { width, height, colorspace, png };
}

/** Writes the fields of a `Summary.Image`. */
export function writeImage(writer: BinaryWriter, image: EncodedImage): void {
  writer.tag(1, WireType.Varint).int32(image.height);
  writer.tag(2, WireType.Varint).int32(image.width);
  writer.tag(3, WireType.Varint).int32(image.colorspace);
  writeBytes(writer, 4, image.png);
}

/** Reads a `Summary.Image`. */
export function readImage(bytes: Uint8Array): EncodedImage {
  let [height, width, colorspace, png] = [0, 0, 0, new Uint8Array()];
  readMessage(bytes, {
    1: (reader) => {
      height = reader.int32();
    },
    2: (reader) => {
      width = reader.int32();
    },
    3: (reader) => {
      colorspace = reader.int32();
    },
    4: (reader) => {
      png = Uint8Array.from(reader.bytes());
    },
  });
  return { width, height, colorspace, png };
}
