import { UserError } from '#src/errors';
import { type OpenFile, openFile } from './openFile.js';
import { systemErrorWords } from './systemError.js';

/** `openFile` with its errors in words. @throws UserError naming the file and its purpose */
export function openToRead(path: string, purpose: string): OpenFile {
  try {
    return openFile(path);
  } catch (error) {
    throw new UserError(`cannot read ${purpose} ${path}: ${systemErrorWords(error)}`);
  }
}
