import { listImageExtensions, namePassedOver, type PassedOver, walkImages } from '#src/data';
import { UserError } from '#src/errors';
import { fileStatus } from '#src/storage';
import type { LabelledImages } from './labelledImages.js';

/**
 * Every image file below `folder`, in path order.
 *
 * @throws UserError when the folder is missing or contains no image
 */
export function listImageFolder(folder: string): LabelledImages {
  assertFolder(folder);
  const { images, passedOver } = walkImages(folder);
  if (images.length === 0) throw noImages(folder, passedOver);
  return { entries: images, passedOver };
}

/** The error for a folder without images. */
export function noImages(folder: string, passedOver: readonly PassedOver[]): UserError {
  const { length } = passedOver;
  const others = length === 1 ? '1 other file' : `${length} other files`;
  const got = length === 0 ? 'no files' : `${others}: ${namePassedOver(passedOver)}`;
  return new UserError(`empty dataset: expected images (${listImageExtensions()}) in ${folder}, got ${got}`);
}

/** @throws UserError when `path` is not a readable folder */
export function assertFolder(path: string): void {
  const stats = fileStatus(path, 'image folder');
  if (stats === undefined) throw new UserError(`image folder ${path}: no such folder`);
  if (!stats.isDirectory()) throw new UserError(`image folder ${path}: expected a folder, got a file`);
}
