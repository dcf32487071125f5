import { UserError } from '#src/errors';
import { readText } from '#src/storage';
import type { CaptionedImage } from './captionedImage.js';
import { captionLines } from './captionText.js';
import { readImageFolder } from './imageFolder.js';

/**
 * The images below a folder, each with the captions in the text file of the same name next to it (`cat.jpg`, `cat.txt`), one
 * per line; an image without a text file has none.
 *
 * @param note takes a line about files that are passed over
 * @throws UserError when there is no image, two images share a text file, or a text file is empty
 */
export function readSidecarFolder(path: string, note?: (line: string) => void): CaptionedImage[] {
  const { images, textOf } = readImageFolder(path, note);
  const imageOf = new Map<string, string>();
  return images.map((image) => {
    const text = textOf(image.fileName);
    if (text === undefined) return { ...image, captions: [] };
    const other = imageOf.get(text.key);
    if (other !== undefined) {
      throw new UserError(`${path}: expected one image for ${text.key}, got ${other} and ${image.fileName}`);
    }
    imageOf.set(text.key, image.fileName);
    return { ...image, captions: captionLines(readText(text.path, 'captions'), text.path) };
  });
}
