import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HOST_ID, isAlive, processMark } from './processIdentity.js';

/** An unfinished folder may hold unfinished files: the name before the first mark is the final one. */
const SUFFIX = /(?:\.([0-9a-f]{8})-(\d+)-([0-9a-f]{4})[0-9a-f]{4}\.tmp)+$/;

const OWN_MARK = processMark(process.pid);

/**
 * A new name beside `path` for an unfinished file or folder. It names machine and process, so that others can tell whether it is
 * still being written.
 */
export function temporaryName(path: string): string {
  return `${path}.${HOST_ID}-${process.pid}-${OWN_MARK}${randomBytes(2).toString('hex')}.tmp`;
}

/** A path as it will be called when all of it is finished, for messages. */
export function finishedName(path: string): string {
  return path.replace(/(?:\.[0-9a-f]{8}-\d+-[0-9a-f]{8}\.tmp)+(?=[/\\]|$)/g, '');
}

/**
 * Removes what processes that are gone left unfinished in a folder.
 *
 * @param options.of only what was to become this entry of the folder
 * @param options.isLocked nobody else may write there: whatever is unfinished is left over, even from another machine
 */
export function clearLeftovers(
  folder: string,
  { of, isLocked = false }: { readonly of?: string; readonly isLocked?: boolean } = {},
): void {
  for (const name of namesIn(folder)) {
    const match = SUFFIX.exec(name);
    if (match === null || (of !== undefined && name.slice(0, match.index) !== of)) continue;
    const [, host, pid, mark] = match;
    const isHere = host === HOST_ID;
    const isOwn = isHere && Number(pid) === process.pid && mark === OWN_MARK;
    const isGone = isLocked ? !isOwn : isHere && !isSameProcess(Number(pid), mark);
    if (isGone) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Removes what processes that are gone left of earlier attempts to write this one file or folder. */
export function clearLeftoversOf(path: string, isLocked = false): void {
  clearLeftovers(dirname(path), { of: basename(path), isLocked });
}

/** Whether a name is that of something unfinished. */
export function isTemporaryName(name: string): boolean {
  return SUFFIX.test(name);
}

/** Whether the process that chose a name still runs; one that has its id now may be another. */
function isSameProcess(pid: number, mark: string): boolean {
  return isAlive(pid) && processMark(pid) === mark;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
