import { join, parse } from 'node:path';
import { UserError } from '#src/errors';
import { folderNames, readText } from '#src/storage';
import type { CaptionedImage } from './captionedImage.js';
import { captionLines } from './captionText.js';
import { readImageFolder } from './imageFolder.js';

/**
 * The images of a folder, each with the captions in the text file of the same name (`cat.jpg`, `cat.txt`), one per line;
 * an image without a text file has none.
 *
 * @throws UserError when the folder contains no image, two images share a text file, or a text file is empty
 */
export function readSidecarFolder(path: string): CaptionedImage[] {
  const images = readImageFolder(path);
  const texts = new Set(folderNames(path, 'captions').filter((name) => name.endsWith('.txt')));
  const imageOf = new Map<string, string>();
  return images.map((image) => {
    const text = `${parse(image.fileName).name}.txt`;
    if (!texts.has(text)) return { ...image, captions: [] };
    const other = imageOf.get(text);
    if (other !== undefined) {
      throw new UserError(`${path}: expected one image for ${text}, got ${other} and ${image.fileName}`);
    }
    imageOf.set(text, image.fileName);
    const where = join(path, text);
    return { ...image, captions: captionLines(readText(where, 'captions'), where) };
  });
}
