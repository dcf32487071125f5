import { readdirSync, type Stats, statSync } from 'node:fs';
import { UserError } from '#src/errors';
import { systemErrorWords } from './systemError.js';

/**
 * The status of a path, links followed; undefined when nothing is there.
 *
 * @param purpose what the path is wanted for: 'captions'
 * @throws UserError naming path and purpose when it cannot be looked at
 */
export function fileStatus(path: string, purpose: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new UserError(`cannot read ${purpose} ${path}: ${systemErrorWords(error)}`);
  }
}

/** The names in a folder, sorted by code unit. @throws UserError naming path and purpose when it cannot be read */
export function folderNames(path: string, purpose: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    throw new UserError(`cannot read ${purpose} ${path}: ${systemErrorWords(error)}`);
  }
}
