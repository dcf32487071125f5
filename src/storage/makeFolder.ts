import { lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '#src/errors';
import { flushFolder } from './flush.js';
import { finishedName } from './temporaryName.js';
import { writeFailure } from './writeFailure.js';

/** Why a folder cannot be made where the user wants it, by the code of the file system. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'no permission to write in',
  EPERM: 'no permission to write in',
  EROFS: 'nothing can be written on a read-only file system:',
  // Node's own recursive mkdir tries this one for ever.
  ENOENT: 'the system allows no folder in',
  ELOOP: 'links lead to one another, in',
  ENAMETOOLONG: 'a part of the name is too long, in',
};

/**
 * Makes a folder and its missing parents, flushed to disk; an existing folder is left alone.
 *
 * @returns the folders that were made, outermost first
 * @throws UserError when there can be no folder at that place; RunError when the disk is full or fails
 */
export function makeFolder(path: string): string[] {
  const missing: string[] = [];
  for (let folder = resolve(path); !isFolder(folder, path); folder = dirname(folder)) missing.unshift(folder);
  return missing.filter((folder) => makeOne(folder, path));
}

/** Whether a folder, or a link to one, is there. */
function isFolder(folder: string, path: string): boolean {
  let status: Stats | undefined;
  let link: Stats | undefined;
  try {
    status = statSync(folder, { throwIfNoEntry: false });
    link = status === undefined ? lstatSync(folder, { throwIfNoEntry: false }) : undefined;
  } catch (error) {
    // The file on the way is found further up.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw refusal(path, folder, error);
  }
  if (status === undefined && link === undefined) return false;
  if (status?.isDirectory()) return true;
  throw new UserError(
    `cannot make folder ${finishedName(path)}: ${folder} is ${link ? 'a link to nothing' : 'not a folder'}`,
  );
}

/** Whether it was made here: another process may be faster. */
function makeOne(folder: string, path: string): boolean {
  try {
    mkdirSync(folder);
    flushFolder(dirname(folder));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && isFolder(folder, path)) return false;
    throw refusal(path, folder, error);
  }
}

function refusal(path: string, folder: string, error: unknown): unknown {
  const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ''];
  return reason === undefined
    ? writeFailure(path, error)
    : new UserError(`cannot make folder ${finishedName(path)}: ${reason} ${dirname(folder)}`);
}
