import { createHash } from 'node:crypto';
import { closeSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { UserError } from '#src/errors';
import { foreignEncoding, numBytesOfUtf8, openToRead, readBytes, systemErrorWords } from '#src/storage';
import { startWork } from '#src/tracking';

const CHUNK_BYTES = 1 << 20;

/**
 * A UTF-8 text file as a stream of strings, without byte-order mark; keeps one chunk in memory.
 *
 * @throws UserError when the file is missing, unreadable or not UTF-8
 */
export function* readTextChunks(path: string): Generator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const refuse = (got: string, offset: number): UserError =>
    new UserError(`cannot read text ${path}: line ${lineAt(path, offset)}: expected UTF-8, got ${got}`);
  let offset = 0;
  let cut: Uint8Array = new Uint8Array();
  for (const bytes of readChunks(path)) {
    const foreign = offset === 0 ? foreignEncoding(bytes) : undefined;
    if (foreign !== undefined) throw refuse(`${foreign}; convert the file to UTF-8`, 0);
    const zero = bytes.indexOf(0);
    if (zero >= 0) throw refuse('a null byte; is it a text file?', offset + zero);
    let text: string;
    try {
      text = decoder.decode(bytes, { stream: true });
    } catch {
      const fault = offset - cut.length + numBytesOfUtf8(Buffer.concat([cut, bytes]));
      throw refuse(OTHER_BYTES, fault);
    }
    offset += bytes.length;
    cut = cutCharacter(bytes);
    yield text;
  }
  try {
    yield decoder.decode();
  } catch {
    throw refuse(OTHER_BYTES, offset);
  }
}

const OTHER_BYTES = 'other bytes; convert the file to UTF-8';

/** The bytes at the end that begin a character of UTF-8 and do not complete it. */
function cutCharacter(bytes: Uint8Array): Uint8Array {
  const last = bytes.subarray(-3);
  const lead = last.findLastIndex((byte) => byte >= 0xc0);
  return last.slice(lead < 0 ? last.length : lead);
}

/** The line in which a byte of a file lies. */
function lineAt(path: string, offset: number): number {
  let line = 1;
  let previous = 0;
  let left = offset;
  for (const bytes of readChunks(path)) {
    for (const byte of bytes.subarray(0, left)) {
      if (byte === LINE_FEED ? previous !== RETURN : byte === RETURN) line++;
      previous = byte;
    }
    left -= bytes.length;
    if (left <= 0) break;
  }
  return line;
}

const LINE_FEED = 10;
const RETURN = 13;

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
