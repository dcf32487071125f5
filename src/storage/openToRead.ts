import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { UserError } from '#src/errors';

/**
 * Opens a regular file for reading: a pipe would wait for its writer, a device might never end.
 *
 * @throws UserError naming the file and its purpose
 */
export function openToRead(path: string, purpose: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UserError(`cannot read ${purpose} ${path}: ${missing ? 'no such file' : (error as Error).message}`);
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw new UserError(`cannot read ${purpose} ${path}: expected a regular file`);
}
