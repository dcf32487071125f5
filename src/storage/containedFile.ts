import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { shownText, UserError } from '#src/errors';
import { systemErrorWords } from './systemError.js';

/**
 * The path of a file that another file in `folder` names: what a checkpoint from elsewhere says must not reach beyond it.
 *
 * @throws UserError unless `name` is the relative path of a regular file inside the folder, links followed
 */
export function containedFile(folder: string, name: string, purpose: string): string {
  const path = join(folder, name);
  const refuse = (): never => {
    throw new UserError(`cannot read ${purpose} '${shownText(name, 200)}': expected a file inside ${folder}`);
  };
  const reachesOut = (from: string, to: string): boolean => {
    const way = relative(from, to);
    return way === '' || way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way);
  };
  if (name === '' || name.includes('\0') || isAbsolute(name) || reachesOut(folder, path)) return refuse();
  try {
    if (reachesOut(realpathSync(folder), realpathSync(path))) return refuse();
    if (!statSync(path).isFile()) throw new UserError(`cannot read ${purpose} ${path}: expected a regular file`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read ${purpose} ${path}: ${systemErrorWords(error)}`);
  }
  return path;
}
