import { UserError } from '#src/errors';
import { readBytes } from '#src/storage';

/** A text file in UTF-8, without its byte order mark. @throws UserError naming the line that is not UTF-8 */
export function readText(path: string): string {
  return decodeText(readBytes(path, 'captions'), path);
}

/** Bytes as UTF-8 text. @param where the file they came from, for the error */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return decode(bytes);
  } catch {
    throw new UserError(`${where}: ${firstFault(bytes)}`);
  }
}

/**
 * The lines of a text that hold a caption each, without white space at their ends.
 *
 * @throws UserError when there is none
 */
export function captionLines(text: string, where: string): string[] {
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) throw new UserError(`${where}: expected one caption a line, got a file without words`);
  return lines;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function firstFault(bytes: Uint8Array): string {
  let start = 0;
  for (let line = 1; start <= bytes.length; line++) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    try {
      decode(bytes.subarray(start, end));
    } catch {
      return `line ${line}: expected UTF-8 text, got other bytes; save the file as UTF-8`;
    }
    start = end + 1;
  }
  return `expected less text in one file, got ${bytes.length} bytes; split the file`;
}
