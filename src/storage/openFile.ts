import { constants as limits } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';

/** Without O_NONBLOCK, opening a named pipe that nobody writes to never returns. */
export const READ_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** The most of one call: the system takes no more than 2 GiB at a time. */
export const READ_BYTES = 2 ** 30;

/** A regular file open for reading, links followed; close the descriptor. */
export interface OpenFile {
  readonly descriptor: number;
  readonly bytes: number;
}

/**
 * Opens a regular file for reading; a pipe, socket or device is refused and never waited for.
 *
 * @throws the error of the system call, or one that says what the path is instead: `systemErrorWords` has words for both
 */
export function openFile(path: string): OpenFile {
  const descriptor = openSync(path, READ_FLAGS);
  try {
    const status = fstatSync(descriptor);
    refuseSpecial(status);
    return { descriptor, bytes: status.size };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** @throws an error that names what it is, for anything but a regular file */
export function refuseSpecial(status: Pick<Stats, 'isFile' | 'isDirectory' | 'isFIFO' | 'isSocket'>): void {
  if (status.isFile()) return;
  if (status.isDirectory()) throw new Error('is a folder');
  const kind = status.isFIFO() ? 'a pipe' : status.isSocket() ? 'a socket' : 'a device';
  throw new Error(`is ${kind}; expected a regular file${status.isFIFO() ? ': write it to one first' : ''}`);
}

/** Room for what is read. @throws an error that says so when it is more than a buffer can hold */
export function allocate(bytes: number): Buffer {
  if (bytes > limits.MAX_LENGTH) throw new Error(`is too large to read in one piece (${bytes} bytes)`);
  return Buffer.allocUnsafeSlow(bytes);
}
