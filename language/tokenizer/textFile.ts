import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { UserError } from '#src/errors';
import { foreignEncoding, openToRead, readBytes, systemErrorWords } from '#src/storage';
import { startWork } from '#src/tracking';

const CHUNK_BYTES = 1 << 20;

/**
 * A UTF-8 text file as a stream of strings, without byte-order mark; keeps one chunk in memory.
 *
 * @throws UserError when the file is missing, unreadable or not UTF-8
 */
export function* readTextChunks(path: string): Generator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      throw new UserError(`cannot read text ${path}: expected UTF-8, got other bytes; convert the file to UTF-8`);
    }
  };
  let isStart = true;
  for (const bytes of readChunks(path)) {
    const foreign = isStart ? foreignEncoding(bytes) : undefined;
    if (foreign !== undefined) {
      throw new UserError(`cannot read text ${path}: expected UTF-8, got ${foreign}; convert the file to UTF-8`);
    }
    isStart = false;
    if (bytes.includes(0)) {
      throw new UserError(`cannot read text ${path}: expected UTF-8, got a null byte; is it a text file?`);
    }
    yield decode(bytes);
  }
  yield decode();
}

/** Bytes by which a file is told from text. */
const HEAD_BYTES = 1 << 16;

/** The beginning of a file, as bytes and as text; what is not UTF-8 is U+FFFD. */
export function readTextHead(path: string): { readonly bytes: Uint8Array; readonly text: string } {
  const bytes = readBytes(path, 'text', { headBytes: HEAD_BYTES });
  return { bytes, text: new TextDecoder().decode(bytes) };
}

/** SHA-256 of a file's bytes in hexadecimal, computed as a stream. */
export function hashTextFile(path: string): string {
  const hash = createHash('sha256');
  for (const bytes of readChunks(path)) hash.update(bytes);
  return hash.digest('hex');
}

/** A file's bytes; the buffer is reused for the next chunk. */
function* readChunks(path: string): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  let descriptor: number | undefined;
  try {
    const { descriptor: opened, bytes } = openToRead(path, 'text');
    descriptor = opened;
    const report = startWork(`reading ${basename(path)}`, bytes, 'bytes');
    for (let done = 0; ; ) {
      const count = attempt(path, () => readSync(descriptor as number, buffer));
      if (count === 0) return;
      yield buffer.subarray(0, count);
      done += count;
      report(done);
    }
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UserError(`cannot read text ${path}: ${systemErrorWords(error)}`);
  }
}
