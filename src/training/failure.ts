import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Interrupted } from '#src/cli';
import { writeJsonAtomic } from '#src/storage';

/** Why the last attempt at a run failed; gone once another one begins. */
export const FAILURE = 'failure.json';

/** Notes in the folder of a run why its work failed. A signal is no failure. */
export function writeFailureNote(folder: string, error: unknown): void {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (error instanceof Interrupted || name === 'AbortError') return;
  try {
    writeJsonAtomic(join(folder, FAILURE), { message, time: new Date().toISOString() });
  } catch {
    // A full disk, perhaps the failure itself: that one is reported.
  }
}

/** Takes the note of an earlier attempt away. */
export function removeFailureNote(folder: string): void {
  rmSync(join(folder, FAILURE), { force: true });
}
