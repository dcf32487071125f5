import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { UserError } from '#src/errors';
import type { ArchiveMember, ByteSource } from './byteSource.js';

/** The bytes of a file or archive member; errors are one line that names the file and its purpose. */
export function readBytes(source: string | ByteSource, purpose: string): Buffer {
  const { path, member } = typeof source === 'string' ? { path: source } : source;
  try {
    return member === undefined ? readFileSync(path) : readMember(member);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : (error as Error).message;
    throw new UserError(`cannot read ${purpose} ${path}: ${why}`);
  }
}

function readMember({ archive, offset, length }: ArchiveMember): Buffer {
  const descriptor = openSync(archive, 'r');
  try {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const count = readSync(descriptor, bytes, done, length - done, offset + done);
      if (count === 0) throw new Error('the archive ends inside it');
      done += count;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** A JSON file, parsed but not validated: pass the result through a schema. */
export function readJson(path: string, purpose: string): unknown {
  return parseJson(readBytes(path, purpose), path, purpose);
}

/** JSON bytes, parsed but not validated. */
export function parseJson(bytes: Buffer, path: string, purpose: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    // The parser's message quotes the offending text, including control characters.
    const why = (error as Error).message.replace(/[\s\p{Cc}]+/gu, ' ');
    throw new UserError(`cannot read ${purpose} ${path}: not valid JSON (${why})`);
  }
}

/** SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
