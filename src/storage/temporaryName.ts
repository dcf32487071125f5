import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** An unfinished folder may hold unfinished files: the name before the first mark is the final one. */
const SUFFIX = /(?:\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp)+$/;

/**
 * Identifies this machine, and in a container its processes' name space: process ids are only comparable where it is the same.
 */
export const HOST_ID = createHash('sha256')
  .update([hostname(), firstLine('/etc/machine-id'), processNamespace()].join('\n'))
  .digest('hex')
  .slice(0, 8);

/**
 * A new name beside `path` for an unfinished file or folder. It names machine and process, so that others can tell whether it is
 * still being written.
 */
export function temporaryName(path: string): string {
  return `${path}.${HOST_ID}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
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
    const [, host, pid] = match;
    const isGone = isLocked
      ? Number(pid) !== process.pid || host !== HOST_ID
      : host === HOST_ID && !isAlive(Number(pid));
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

/** Whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n')[0];
  } catch {
    return '';
  }
}

function processNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
