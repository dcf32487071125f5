import { stat } from 'node:fs/promises';
import { type ByteSource, readSource } from '#src/storage';
import { createMemoryBudget } from './memoryBudget.js';

/** Files that are in memory at the same time share this much. */
const loaded = createMemoryBudget(512 * 2 ** 20);

/**
 * Reads a file or archive member and holds it only while `use` runs; waits while others take up the memory.
 *
 * @throws Error with a one-line reason when it is larger than `maxBytes`; else as `readSource`
 */
export async function withFileBytes<T>(
  source: ByteSource,
  maxBytes: number,
  use: (bytes: Buffer) => Promise<T> | T,
): Promise<T> {
  const size = source.member?.length ?? (await stat(source.path)).size;
  if (size > maxBytes) throw new Error(`a file of ${megabytes(size)} MB; expected at most ${megabytes(maxBytes)} MB`);
  return loaded.within(size, async () => use(await readSource(source)));
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
