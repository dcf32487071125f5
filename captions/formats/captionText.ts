import { UserError } from '#src/errors';
import { decodeText, readBytes } from '#src/storage';

/** A text file in UTF-8, without its byte order mark. @throws UserError naming the line that is not UTF-8 */
export function readText(path: string): string {
  return decodeText(readBytes(path, 'captions'), path);
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
