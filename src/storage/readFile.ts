import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { UserError } from '#src/errors';

/** A file's bytes; a missing or unreadable file is one line that says which and what it was wanted for. */
export function readBytes(path: string, purpose: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : (error as Error).message;
    throw new UserError(`cannot read ${purpose} ${path}: ${why}`);
  }
}

/** A JSON file, parsed but not checked: pass it through a schema. */
export function readJson(path: string, purpose: string): unknown {
  const text = readBytes(path, purpose).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(
      `cannot read ${purpose} ${path}: not valid JSON (${(error as Error).message.replace(/\s+/g, ' ')})`,
    );
  }
}

/** SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
