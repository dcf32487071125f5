import { readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { IMAGE_EXTENSIONS } from '#src/data';
import { UserError } from '#src/errors';
import type { CaptionImage } from './captionedImage.js';

/**
 * The images of a folder (not of its subfolders), sorted by name, with ids 1, 2, 3, ...; hidden files are skipped.
 *
 * @throws UserError when the folder cannot be read or holds no image
 */
export function readImageFolder(path: string): CaptionImage[] {
  let names: string[];
  try {
    names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.') && isImageName(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    throw unreadable('image folder', path, error);
  }
  if (names.length === 0) {
    throw new UserError(`image folder ${path}: expected at least one file with ${listExtensions()}, got none`);
  }
  return names.map((fileName, index) => ({ id: index + 1, fileName, path: join(path, fileName) }));
}

/**
 * A single image file, with id 1.
 *
 * @throws UserError when the file does not exist, is a folder, or does not have an image extension
 */
export function readImageFile(path: string): CaptionImage {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw unreadable('image', path, error);
  }
  if (isFolder) throw new UserError(`image ${path}: expected a file, got a folder`);
  if (!isImageName(path)) {
    throw new UserError(
      `image ${path}: expected a file name with ${listExtensions()}, got '${extname(path) || basename(path)}'`,
    );
  }
  return { id: 1, fileName: basename(path), path };
}

/** Whether a file name has an image extension. */
export function isImageName(name: string): boolean {
  return IMAGE_EXTENSIONS.includes(extname(name).slice(1).toLowerCase());
}

function listExtensions(): string {
  return IMAGE_EXTENSIONS.map((extension) => `.${extension}`).join(', ');
}

function unreadable(what: string, path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'no such file or folder' : code === 'ENOTDIR' ? 'not a folder' : message;
  return new UserError(`cannot read ${what} ${path}: ${why}`);
}
