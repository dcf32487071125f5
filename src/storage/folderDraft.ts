import { existsSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { flushFolder, flushFolders } from './flush.js';
import { makeFolder } from './makeFolder.js';
import { clearLeftoversOf, temporaryName } from './temporaryName.js';
import { writeFailure } from './writeFailure.js';

/** A folder that appears under its name only when it is complete. */
export interface FolderDraft {
  /** Where to write meanwhile. */
  readonly path: string;
  /** Flushes the folder to disk and moves it to its place, which must be free or an empty folder. */
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
export function draftFolder(place: string, what = place): FolderDraft {
  // Of a link, the folder that it leads to gets the content, and stays on its own disk.
  const target = existsSync(place) ? realpathSync(place) : place;
  const path = temporaryName(target);
  try {
    makeFolder(dirname(target));
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
        if (isHere(target)) moveContent(path, target);
        else renameSync(path, target);
        flushFolder(dirname(target));
      } catch (error) {
        throw writeFailure(what, error);
      }
    },
    discard: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Whether it is the working directory: replacing it would take it away from the user's shell. */
function isHere(path: string): boolean {
  return existsSync(path) && realpathSync(path) === realpathSync('.');
}

/** Files whose presence means that the folder is complete. */
const MARKERS: readonly string[] = ['manifest.json', 'dataset.json', 'pipeline.yaml'];

/** Moves the entries of a folder to an empty one, markers last. */
function moveContent(from: string, to: string): void {
  const names = readdirSync(from).sort((a, b) => Number(MARKERS.includes(a)) - Number(MARKERS.includes(b)));
  for (const name of names) renameSync(join(from, name), join(to, name));
  flushFolder(to);
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
