import { join } from 'node:path';
import { UserError } from '#src/errors';
import { assertFolder, listFolder, listImageFolder } from './imageFolder.js';
import type { ImageEntry, LabelledImages } from './labelledImages.js';

/**
 * Images in one folder per class: classes are indexed in name order, and class folders may have subfolders.
 *
 * @throws UserError when the folder is missing, has no subfolders, or one of them contains no image
 */
export function listClassFolders(folder: string): LabelledImages {
  assertFolder(folder);
  const classNames = listFolder(folder)
    .filter((entry) => entry.isFolder)
    .map((entry) => entry.name);
  if (classNames.length === 0) {
    throw new UserError(
      `class folders ${folder}: expected one folder per class, got none; for unlabelled images use kind 'folder'`,
    );
  }
  const entries: ImageEntry[] = [];
  const labels: number[] = [];
  for (const [label, className] of classNames.entries()) {
    for (const { path, key } of listImageFolder(join(folder, className))) {
      entries.push({ path, key: `${className}/${key}` });
      labels.push(label);
    }
  }
  return { entries, classNames, labels: Int32Array.from(labels) };
}
