import { constants } from 'node:buffer';
import { UserError } from '#src/errors';
import { binaryFileKind } from './binaryFileKind.js';
import { countLineEnds } from './textLines.js';

/** The longest text that is read in one piece: what a string holds at most. */
export const MAX_TEXT_BYTES = constants.MAX_STRING_LENGTH;

/** Bytes that are looked at for another encoding. */
const HEAD_BYTES = 4096;

/**
 * Bytes as UTF-8 text; a byte order mark at its start is passed over.
 *
 * @param where the file that they come from, for the error message
 * @throws UserError naming the line that is not UTF-8 or holds a null byte; another encoding of Unicode, an archive or
 *   another binary file by its name
 */
export function decodeText(bytes: Uint8Array, where: string): string {
  const foreign = foreignEncoding(bytes);
  if (foreign !== undefined)
    throw new UserError(`${where}: expected UTF-8 text, got ${foreign}; save the file as UTF-8`);
  if (bytes.length > MAX_TEXT_BYTES) {
    throw new UserError(
      `${where}: expected text of at most ${MAX_TEXT_BYTES} bytes, got ${bytes.length}; split the file`,
    );
  }
  const text = decode(bytes);
  const zero = text?.indexOf('\0') ?? 0;
  // Only now: a text may begin as an archive does.
  const binary = zero >= 0 ? binaryFileKind(bytes) : undefined;
  if (binary !== undefined) throw new UserError(`${where}: expected UTF-8 text, got ${binary}`);
  if (text === undefined) {
    const line = 1 + countLineEnds(new TextDecoder().decode(bytes.subarray(0, numBytesOfUtf8(bytes))));
    throw new UserError(`${where}: line ${line}: expected UTF-8 text, got other bytes; save the file as UTF-8`);
  }
  if (zero >= 0) {
    const line = 1 + countLineEnds(text.slice(0, zero));
    throw new UserError(`${where}: line ${line}: expected UTF-8 text, got a null byte; is it a text file?`);
  }
  return text;
}

/** UTF-16 or UTF-32 where the first bytes of a text show it: by a byte order mark, or by a null byte beside each letter. */
export function foreignEncoding(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 && bytes.length >= 8 ? 'UTF-32' : 'UTF-16';
  if (a === 0xfe && b === 0xff) return 'UTF-16';
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return 'UTF-32';
  const pairs = Math.floor(Math.min(bytes.length, HEAD_BYTES) / 2);
  const zeros = [0, 0];
  for (let i = 0; i < 2 * pairs; i++) if (bytes[i] === 0) zeros[i % 2]++;
  const [fewer, more] = zeros.sort((x, y) => x - y);
  return pairs >= 2 && more > pairs / 2 && fewer < pairs / 8 ? 'UTF-16' : undefined;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** How many bytes come before the first one that is not UTF-8, by halves: they decode. */
export function numBytesOfUtf8(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    // As a stream, so that a character cut in two is not an error.
    const isGood = decodesSoFar(bytes.subarray(0, middle));
    if (isGood) good = middle;
    else bad = middle;
  }
  return good;
}

function decodesSoFar(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
