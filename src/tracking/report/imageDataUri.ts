import { UserError } from '#src/errors';
import { type ByteSource, readBytes } from '#src/storage';

export interface EmbeddedImage {
  /** `data:image/png;base64,...` */
  readonly uri: string;
  /** Size in pixels; only for PNG, because JPEG does not store it at a fixed offset. */
  readonly size?: { readonly width: number; readonly height: number };
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const JPEG_SIGNATURE = Buffer.from([0xff, 0xd8, 0xff]);

/**
 * A PNG or JPEG as a data URI, from its bytes or their location. It is embedded unchanged: scale large photos down first.
 *
 * @throws UserError when the file cannot be read, or is neither PNG nor JPEG
 */
export function imageDataUri(image: Uint8Array | string | ByteSource): EmbeddedImage {
  const bytes = image instanceof Uint8Array ? Buffer.from(image) : readBytes(image, 'image');
  const startsWith = (signature: Buffer) => bytes.subarray(0, signature.length).equals(signature);
  const uri = (type: string) => `data:image/${type};base64,${bytes.toString('base64')}`;
  // The first chunk, IHDR, begins with width and height: https://www.w3.org/TR/png/#11IHDR
  if (startsWith(PNG_SIGNATURE) && bytes.length >= 24) {
    return { uri: uri('png'), size: { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } };
  }
  if (startsWith(JPEG_SIGNATURE)) return { uri: uri('jpeg') };
  const name = image instanceof Uint8Array ? 'image' : typeof image === 'string' ? image : image.path;
  throw new UserError(`${name}: expected the bytes of a PNG or JPEG, got ${bytes.length} bytes of something else`);
}
