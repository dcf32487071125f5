import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** Files flushed at a time: a journal commits them together. */
const IN_FLIGHT = 16;

/**
 * Flushes a folder's entries to disk: after it, a power cut does not undo that a file was made, renamed or removed there.
 * Some file systems and Windows cannot flush folders; they do nothing.
 */
export function flushFolder(path: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    fsyncSync(descriptor);
  } catch (error) {
    if (!CANNOT_FLUSH.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

const CANNOT_FLUSH: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EPERM', 'EACCES', 'EISDIR', 'ENOSYS']);

/** Flushes the entries of a folder and of all folders below it; their files must have been flushed by those who wrote them. */
export function flushFolders(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) flushFolders(join(path, entry.name));
  }
  flushFolder(path);
}

/** Flushes many files, several at a time. */
export async function flushFiles(paths: readonly string[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      const handle = await open(paths[next++], 'r+');
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, paths.length) }, work));
}
