import { crc32, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** IHDR after width and height: 8 bits per channel, RGB, deflate, standard filters, not interlaced. */
const PLAIN_RGB = Buffer.from([8, 2, 0, 0, 0]);

const HEADER_BYTES = 13;

/**
 * The RGB bytes [imageSize, imageSize, 3] of a plain PNG: 8 bits per channel, exactly that size, not interlaced, with only
 * the chunks IHDR, pHYs (which does not affect pixels), IDAT and IEND (so no colour profile, transparency or orientation)
 * and valid checksums.
 *
 * @returns undefined for any other input
 */
export function decodePlainPng(bytes: Uint8Array, imageSize: number): Uint8Array | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const compressed = imageData(file, imageSize);
  if (compressed === undefined) return undefined;
  const length = imageSize * (1 + imageSize * 3);
  try {
    const rows = inflateSync(compressed, { maxOutputLength: length });
    return rows.length === length ? unfilterRows(rows, imageSize) : undefined;
  } catch {
    return undefined;
  }
}

/** Contents of the IDAT chunks, if the file has only the chunks of a plain PNG. Source: https://www.w3.org/TR/png-3/#5DataRep */
function imageData(file: Buffer, imageSize: number): Uint8Array | undefined {
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return undefined;
  const parts: Buffer[] = [];
  for (let start = SIGNATURE.length, first = true; start + 12 <= file.length; first = false) {
    const length = file.readUInt32BE(start);
    const end = start + 12 + length; // length, type, data, CRC-32 of type and data
    if (end > file.length || crc32(file.subarray(start + 4, end - 4)) !== file.readUInt32BE(end - 4)) return undefined;
    const type = file.toString('latin1', start + 4, start + 8);
    const data = file.subarray(start + 8, end - 4);
    if (first !== (type === 'IHDR')) return undefined;
    if (type === 'IHDR') {
      const isSize =
        length === HEADER_BYTES && data.readUInt32BE(0) === imageSize && data.readUInt32BE(4) === imageSize;
      if (!isSize || !data.subarray(8).equals(PLAIN_RGB)) return undefined;
    } else if (type === 'IDAT') parts.push(data);
    else if (type === 'IEND') return Buffer.concat(parts);
    else if (type !== 'pHYs') return undefined;
    start = end;
  }
  return undefined;
}

/**
 * Undoes each row's filter: a = the byte 3 to the left, b = the one above, c = the one above a.
 * Source: https://www.w3.org/TR/png-3/#9Filters
 *
 * @param rows [imageSize, 1 + imageSize · 3], each row after its filter type
 */
function unfilterRows(rows: Uint8Array, imageSize: number): Uint8Array | undefined {
  const rowBytes = imageSize * 3;
  const pixels = new Uint8Array(imageSize * rowBytes); // stored modulo 256
  for (let y = 0; y < imageSize; y++) {
    const from = y * (1 + rowBytes) + 1;
    const to = y * rowBytes;
    const filter = rows[from - 1];
    if (filter > 4) return undefined;
    if (filter === 0) {
      pixels.set(rows.subarray(from, from + rowBytes), to);
      continue;
    }
    for (let i = 0; i < rowBytes; i++) {
      const a = i >= 3 ? pixels[to + i - 3] : 0;
      const b = y > 0 ? pixels[to + i - rowBytes] : 0;
      const c = i >= 3 && y > 0 ? pixels[to + i - rowBytes - 3] : 0;
      const predicted = filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : paeth(a, b, c);
      pixels[to + i] = rows[from + i] + predicted;
    }
  }
  return pixels;
}

/** The Paeth predictor: of left, above and above left, the one closest to a + b - c; ties in that order. */
function paeth(a: number, b: number, c: number): number {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (toA <= toB && toA <= toC) return a;
  return toB <= toC ? b : c;
}
