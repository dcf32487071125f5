import { readdirSync, realpathSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { IMAGE_EXTENSIONS } from '#src/data';
import { UserError } from '#src/errors';
import type { ImageEntry } from './labelledImages.js';

/**
 * Every image file below `folder`, in path order; hidden files and folders are skipped.
 *
 * @throws UserError when the folder is missing or contains no image
 */
export function listImageFolder(folder: string): ImageEntry[] {
  const entries: ImageEntry[] = [];
  let otherFiles = 0;
  const visit = (path: string, key: string, above: readonly string[]): void => {
    const real = realpathSync(path);
    // A symbolic link to a parent folder would cause infinite recursion.
    if (above.includes(real)) return;
    for (const { name, isFolder } of listFolder(path)) {
      const childKey = key === '' ? name : `${key}/${name}`;
      if (isFolder) visit(join(path, name), childKey, [...above, real]);
      else if (IMAGE_EXTENSIONS.includes(extname(name).slice(1).toLowerCase()))
        entries.push({ path: join(path, name), key: childKey });
      else otherFiles++;
    }
  };
  assertFolder(folder);
  visit(folder, '', []);
  if (entries.length === 0) {
    const found = otherFiles === 0 ? 'no files' : `${otherFiles} other file${otherFiles === 1 ? '' : 's'}`;
    throw new UserError(
      `empty dataset: expected images (${IMAGE_EXTENSIONS.map((extension) => `.${extension}`).join(' ')}) in ${folder}, got ${found}`,
    );
  }
  return entries;
}

/** Names in a folder without hidden ones, sorted by code unit so that the order does not depend on the locale. */
export function listFolder(folder: string): { name: string; isFolder: boolean }[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.'))
    .map((entry) => ({
      name: entry.name,
      isFolder: entry.isSymbolicLink()
        ? (statSync(join(folder, entry.name), { throwIfNoEntry: false })?.isDirectory() ?? false)
        : entry.isDirectory(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws UserError when `path` is not a readable folder */
export function assertFolder(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new UserError(`image folder ${path}: no such folder`);
  if (!stats.isDirectory()) throw new UserError(`image folder ${path}: expected a folder, got a file`);
}
