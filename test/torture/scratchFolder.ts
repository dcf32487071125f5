import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const IN_MEMORY = '/dev/shm';

/** A new folder, in memory where the system has a place for that: flushing a disk takes most of the time otherwise. */
export function scratchFolder(): string {
  return mkdtempSync(join(placeInMemory() ?? tmpdir(), 'tokenfuse-torture-'));
}

function placeInMemory(): string | undefined {
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    return IN_MEMORY;
  } catch {
    return undefined;
  }
}
