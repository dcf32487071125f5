/** @file A large file whose content is checked as it is read: digests of its chunks are kept elsewhere. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { RunError } from '#src/errors';

/** Bytes in a chunk: read and hashed whole at the first access, in about 2 ms. */
const CHUNK_BYTES = 1 << 20;
/** Hexadecimal digits kept of each SHA-256: an error goes undetected in one of 2⁶⁴ cases. */
const DIGEST_LENGTH = 16;

export interface CheckedFile {
  /** Copies bytes [position, position + length) to `into` at `offset`. @throws RunError when the file is damaged there */
  read(into: Uint8Array, offset: number, length: number, position: number): void;
  close(): void;
}

/** The digests of a file's chunks, in order. */
export function chunkDigests(path: string): string[] {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size));
    const digests: string[] = [];
    for (let start = 0; start < size; start += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, size - start);
      readWhole(descriptor, chunk, 0, length, start, path);
      digests.push(digest(chunk.subarray(0, length)));
    }
    return digests;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Opens a file whose `chunkDigests` are known. Each chunk is checked at its first access and not again, so that the whole
 * costs one more read of the file.
 *
 * @param remedy what to do about a damaged file: 'delete the folder x and run again'
 */
export function openCheckedFile(path: string, digests: readonly string[], remedy: string): CheckedFile {
  const descriptor = openSync(path, 'r');
  const { size } = fstatSync(descriptor);
  const checked = new Uint8Array(digests.length);
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size));
  const check = (index: number): void => {
    if (checked[index] === 1) return;
    const start = index * CHUNK_BYTES;
    const length = Math.min(CHUNK_BYTES, size - start);
    if (length > 0) readWhole(descriptor, chunk, 0, length, start, path);
    if (length <= 0 || digest(chunk.subarray(0, length)) !== digests[index]) {
      throw new RunError(`${path}: damaged: bytes from ${start} on are not those that were written; ${remedy}`);
    }
    checked[index] = 1;
  };
  return {
    read: (into, offset, length, position) => {
      const last = Math.floor((position + length - 1) / CHUNK_BYTES);
      for (let index = Math.floor(position / CHUNK_BYTES); index <= last; index++) check(index);
      readWhole(descriptor, into, offset, length, position, path);
    },
    close: () => closeSync(descriptor),
  };
}

function readWhole(
  descriptor: number,
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
  path: string,
): void {
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, into, offset + done, length - done, position + done);
    if (count === 0) throw new RunError(`${path}: ends at byte ${position + done}, before its content does`);
    done += count;
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_LENGTH);
}
