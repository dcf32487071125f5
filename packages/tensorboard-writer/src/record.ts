/**
 * @file The framing of an event file, the same as TFRecord's:
 *
 *     u64 length | u32 masked crc32c(length) | payload | u32 masked crc32c(payload)        all little-endian
 *
 * Source: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32c } from './crc32c.js';
import { EventFileError } from './eventFileError.js';

const HEADER_BYTES = 12;
const FOOTER_BYTES = 4;

/**
 * CRC32C, rotated right by 15 bits, plus a constant: `((crc >>> 15) | (crc << 17)) + 0xa282ead8`, unsigned 32 bits.
 *
 * The mask keeps the CRC of data that itself holds CRCs from degenerating.
 */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One whole record around `payload`, ready for a single `write`. */
export function encodeRecord(payload: Uint8Array): Buffer {
  const record = Buffer.alloc(HEADER_BYTES + payload.length + FOOTER_BYTES);
  record.writeBigUInt64LE(BigInt(payload.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(payload, HEADER_BYTES);
  record.writeUInt32LE(maskedCrc32c(payload), HEADER_BYTES + payload.length);
  return record;
}

/** A record as it lies in a file. */
export interface EventRecord {
  /** Offset of its first byte in the file. */
  readonly start: number;
  /** The whole record, framing included. */
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * Walks the whole records of a file in order, one in memory at a time, and checks every length and CRC.
 *
 * A kill or a power cut can leave the last record torn: cut short, with a wrong CRC at the very end of the file, or
 * followed by nothing but zeros. That is not an error here; the caller sees `wholeBytes < fileBytes`.
 *
 * @returns where the last whole record ends, and the file's size; both in bytes
 * @throws EventFileError on damage anywhere else, naming the byte
 */
export function scanRecords(
  path: string,
  visit: (record: EventRecord) => void,
): { wholeBytes: number; fileBytes: number } {
  const descriptor = openSync(path, 'r');
  try {
    const fileBytes = fstatSync(descriptor).size;
    let start = 0;
    while (start + HEADER_BYTES + FOOTER_BYTES <= fileBytes) {
      const header = readAt(descriptor, start, HEADER_BYTES);
      if (header.readUInt32LE(8) !== maskedCrc32c(header.subarray(0, 8))) {
        if (isZeroFrom(descriptor, start, fileBytes)) break;
        throw new EventFileError(path, `damaged at byte ${start}: the length of the record does not match its CRC`);
      }
      const payloadBytes = Number(header.readBigUInt64LE(0));
      const end = start + HEADER_BYTES + payloadBytes + FOOTER_BYTES;
      if (end > fileBytes) break;
      const bytes = readAt(descriptor, start, end - start);
      const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + payloadBytes);
      if (bytes.readUInt32LE(HEADER_BYTES + payloadBytes) !== maskedCrc32c(payload)) {
        if (end === fileBytes || isZeroFrom(descriptor, start + HEADER_BYTES, fileBytes)) break;
        throw new EventFileError(path, `damaged at byte ${start}: the payload of the record does not match its CRC`);
      }
      visit({ start, bytes, payload });
      start = end;
    }
    return { wholeBytes: start, fileBytes };
  } finally {
    closeSync(descriptor);
  }
}

function readAt(descriptor: number, position: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let done = 0; done < count; ) {
    const read = readSync(descriptor, bytes, done, count - done, position + done);
    if (read === 0) throw new Error(`event file ended at byte ${position + done} while it was read`);
    done += read;
  }
  return bytes;
}

/** True when [start, end) holds only zeros: blocks that a power cut left allocated but unwritten. */
function isZeroFrom(descriptor: number, start: number, end: number): boolean {
  const chunkBytes = 1 << 16;
  for (let position = start; position < end; position += chunkBytes) {
    if (readAt(descriptor, position, Math.min(chunkBytes, end - position)).some((byte) => byte !== 0)) return false;
  }
  return true;
}
