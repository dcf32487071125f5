import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { flushFolder, flushFolders } from './flush.js';
import { makeFolder } from './makeFolder.js';
import { clearLeftoversOf, temporaryName } from './temporaryName.js';
import { writeFailure } from './writeFailure.js';

/** A folder that appears under its name only when it is whole. */
export interface FolderDraft {
  /** Where to write meanwhile. */
  readonly path: string;
  /** Flushes the folder to disk and puts it in its place, where nothing or an empty folder may be. */
  publish(): void;
  /** Removes what was written, unless it has been published. */
  discard(): void;
}

/**
 * Starts a folder beside its place, and removes what killed processes left of earlier attempts.
 *
 * @param what the folder in messages
 * @throws RunError when the disk refuses
 */
export function draftFolder(target: string, what = target): FolderDraft {
  const path = temporaryName(target);
  try {
    clearLeftoversOf(target);
    makeFolder(path);
  } catch (error) {
    throw writeFailure(what, error);
  }
  return {
    path,
    publish: () => {
      try {
        flushFolders(path);
        renameSync(path, target);
        flushFolder(dirname(target));
      } catch (error) {
        throw writeFailure(what, error);
      }
    },
    discard: () => rmSync(path, { recursive: true, force: true }),
  };
}

/**
 * Publishes a folder of a cache, whose name says what is in it: another process may have been faster, and a damaged one is
 * replaced.
 *
 * @param isWhole whether the folder in its place is
 */
export function publishEntry(draft: FolderDraft, target: string, isWhole: () => boolean): void {
  if (isWhole()) return;
  try {
    draft.publish();
  } catch (error) {
    if (isWhole()) return;
    if (!existsSync(target)) throw error;
    rmSync(target, { recursive: true, force: true });
    draft.publish();
  }
}
