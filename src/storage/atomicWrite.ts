import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { flushFolder } from './flush.js';
import { makeFolder } from './makeFolder.js';
import { clearLeftoversOf, temporaryName } from './temporaryName.js';
import { writeFailure } from './writeFailure.js';

/**
 * Writes to a temporary file, flushes it to disk and renames it into place: after a crash, a power cut or for a concurrent
 * reader, the file is either the old or the new one, never a partial one. A failed write (full disk) leaves nothing behind.
 *
 * @throws UserError naming the file when writing fails
 */
export function writeFileAtomic(path: string, data: string | Uint8Array | Iterable<Uint8Array>): void {
  const aside = temporaryName(path);
  const chunks = typeof data === 'string' ? [Buffer.from(data)] : data instanceof Uint8Array ? [data] : data;
  let descriptor: number | undefined;
  try {
    clearLeftoversOf(path);
    makeFolder(dirname(path));
    descriptor = openSync(aside, 'wx');
    for (const chunk of chunks) {
      for (let offset = 0; offset < chunk.byteLength; ) {
        offset += writeSync(descriptor, chunk, offset, chunk.byteLength - offset);
      }
    }
    fsyncSync(descriptor);
    closeSync(descriptor);
    descriptor = undefined;
    renameSync(aside, path);
    flushFolder(dirname(path));
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    if (existsSync(aside)) rmSync(aside);
    throw writeFailure(path, error);
  }
}

/** `writeFileAtomic` of a value as indented JSON. */
export function writeJsonAtomic(path: string, value: unknown): void {
  writeFileAtomic(path, jsonText(value));
}

/** A value as indented JSON, as files hold it. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
