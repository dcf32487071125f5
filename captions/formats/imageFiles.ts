import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { printable, UserError } from '#src/errors';
import { fileStatus } from '#src/storage';
import type { CaptionImage } from './captionedImage.js';

/** How many missing files an error names. */
const SHOWN = 3;

/** The default image folder of a captions file: `images` or `Images` next to it, otherwise its own folder. */
export function defaultImageDir(captionsPath: string): string {
  const folder = dirname(captionsPath);
  const isFolder = (path: string): boolean => fileStatus(path, 'images')?.isDirectory() ?? false;
  return ['images', 'Images'].map((name) => join(folder, name)).find(isFolder) ?? folder;
}

/** @throws UserError naming the first few images whose file is missing, and their number */
export function assertImageFiles(
  images: readonly CaptionImage[],
  captionsPath: string,
  advice = "set 'images' to the folder that contains them",
): void {
  const missing = images.filter(({ path, member }) => member === undefined && !existsSync(path));
  if (missing.length === 0) return;
  const named = missing.slice(0, SHOWN).map(({ path }) => describePath(path));
  const more = missing.length > SHOWN ? ` and ${missing.length - SHOWN} more` : '';
  throw new UserError(
    `${captionsPath}: expected the file of every image, ${missing.length} of ${images.length} missing: ${named.join(', ')}${more}; ${advice}`,
  );
}

/** Long paths are cut at the start: their end is more informative. */
function describePath(path: string): string {
  return printable(JSON.stringify(path.length > 200 ? `...${path.slice(-200)}` : path));
}
