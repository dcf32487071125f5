import { UserError } from '#src/errors';
import { openFile } from './openFile.js';
import { systemErrorWords } from './systemError.js';

/**
 * Opens a regular file for reading: a pipe would wait for its writer, a device might never end.
 *
 * @throws UserError naming the file and its purpose
 */
export function openToRead(path: string, purpose: string): number {
  try {
    return openFile(path).descriptor;
  } catch (error) {
    throw new UserError(`cannot read ${purpose} ${path}: ${systemErrorWords(error)}`);
  }
}
