import { UserError } from '#src/errors';
import { decodeText, readBytes } from '#src/storage';

/** Reads a UTF-8 text file and drops its byte order mark. @throws UserError naming the line that is not UTF-8 */
export function readText(path: string): string {
  return decodeText(readBytes(path, 'captions'), path);
}

/**
 * The non-empty lines of a text, trimmed; each is one caption.
 *
 * @throws UserError when there is none
 */
export function captionLines(text: string, where: string): string[] {
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) throw new UserError(`${where}: expected one caption per line, got an empty file`);
  return lines;
}
