import { basename } from 'node:path';
import {
  CANNOT_DECODE,
  IMAGE_HEAD_BYTES,
  imageFormatOf,
  isImageName,
  isOtherImageName,
  listImageExtensions,
  namePassedOver,
  passedOverLine,
  stemOf,
  type WalkedFile,
  walkImages,
} from '#src/data';
import { UserError } from '#src/errors';
import { fileStatus, readBytes } from '#src/storage';
import type { CaptionImage } from './captionedImage.js';

/** Images of a folder, and the text files of the same names by the images' file names. */
export interface ImagesWithTexts {
  readonly images: readonly CaptionImage[];
  readonly textOf: (fileName: string) => WalkedFile | undefined;
}

/**
 * The images below a folder, sorted by name, with ids 1, 2, 3, ...; a name is the path from the folder.
 *
 * @param note takes a line about files that are passed over
 * @throws UserError when the folder cannot be read or holds no image
 */
export function readImageFolder(path: string, note?: (line: string) => void): ImagesWithTexts {
  const { images, texts, passedOver } = walkImages(path);
  if (images.length === 0) {
    const got = passedOver.length === 0 ? 'none' : `none among ${namePassedOver(passedOver)}`;
    throw new UserError(`image folder ${path}: expected at least one file with ${listImageExtensions()}, got ${got}`);
  }
  const line = passedOverLine(path, passedOver);
  if (line !== undefined) note?.(line);
  return {
    images: images.map((image, index) => ({ id: index + 1, fileName: image.key, path: image.path })),
    textOf: (fileName) => texts.get(stemOf(fileName)),
  };
}

/**
 * A single image file, with id 1; undefined when neither its name nor its first bytes are those of an image.
 *
 * @throws UserError when it does not exist, is not a regular file, or is an image that is not decoded here
 */
export function readImageFile(path: string): CaptionImage | undefined {
  const status = fileStatus(path, 'image');
  if (status === undefined) throw new UserError(`cannot read image ${path}: no such file`);
  if (status.isDirectory()) throw new UserError(`image ${path}: expected a file, got a folder`);
  const image = { id: 1, fileName: basename(path), path };
  if (isImageName(path)) return image;
  if (isOtherImageName(path)) throw new UserError(`image ${path}: ${CANNOT_DECODE}`);
  const format = imageFormatOf(readBytes(path, 'image', { headBytes: IMAGE_HEAD_BYTES }));
  if (format === undefined) return undefined;
  if (!format.decoded) throw new UserError(`image ${path}: ${format.name}: ${CANNOT_DECODE}`);
  return image;
}
