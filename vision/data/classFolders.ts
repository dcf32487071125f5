import { join } from 'node:path';
import { walkImages } from '#src/data';
import { UserError } from '#src/errors';
import { assertFolder, noImages } from './imageFolder.js';
import type { LabelledImages } from './labelledImages.js';

/**
 * Images in one folder per class: classes are indexed in name order, and class folders may have subfolders. Images outside
 * of them are passed over.
 *
 * @throws UserError when the folder is missing, has no subfolders, or one of them contains no image or cannot be read
 */
export function listClassFolders(folder: string): LabelledImages {
  assertFolder(folder);
  const { images, folders, passedOver } = walkImages(folder);
  // A class that is missing would change the numbers of the others.
  const unread = passedOver.find(({ name }) => /^[^/]+\/$/.test(name));
  if (unread !== undefined) throw new UserError(`class folder ${join(folder, unread.name)}: ${unread.reason}`);
  if (folders.length === 0) {
    throw new UserError(
      `class folders ${folder}: expected one folder per class, got none; for unlabelled images use kind 'folder'`,
    );
  }
  const classOf = new Map(folders.map((name, i) => [name, i]));
  const labelled = images.filter(({ key }) => key.includes('/'));
  const labels = Int32Array.from(labelled, ({ key }) => classOf.get(key.slice(0, key.indexOf('/'))) as number);
  const present = new Set(labels);
  const empty = folders.find((_, i) => !present.has(i));
  if (empty !== undefined) {
    const inside = passedOver.filter(({ name }) => name.startsWith(`${empty}/`));
    throw noImages(join(folder, empty), inside);
  }
  const outside = images.filter(({ key }) => !key.includes('/'));
  return {
    entries: labelled,
    classNames: folders,
    labels,
    passedOver: [...outside.map(({ key }) => ({ name: key, reason: 'in no class folder' })), ...passedOver],
  };
}
