/** @file Captions of images that are identified by file name only: ids are 1, 2, 3, … in the order of the captions file. */
import { describeValue } from '#src/config';
import { imagePath } from '#src/data';
import { UserError } from '#src/errors';
import { readText, textLines } from '#src/storage';
import type { CaptionedImage } from './captionedImage.js';
import { captionOf } from './captionText.js';

/** File name to captions, in file order. */
export type NamedCaptions = Map<string, { readonly captions: string[]; readonly where: string }>;

/** @throws UserError for an empty caption or name. @param where file and line */
export function addCaption(all: NamedCaptions, name: string, text: string, where: string): void {
  if (name === '') throw new UserError(`${where}: image: expected a file name, got nothing`);
  const caption = captionOf(text, `${where}: caption`);
  const known = all.get(name);
  if (known === undefined) all.set(name, { captions: [caption], where: `${where}: image` });
  else known.captions.push(caption);
}

/**
 * Records of the named images.
 *
 * @param splitFile list of the names to use, one per line. Default: all. Ids do not depend on it.
 * @throws UserError when there is no image, or the list names an image without captions or an image twice
 */
export function namedImages(
  captions: NamedCaptions,
  path: string,
  imageDir: string,
  splitFile: string | undefined,
): CaptionedImage[] {
  if (captions.size === 0) throw new UserError(`${path}: expected at least one caption, got none`);
  const chosen = splitFile === undefined ? undefined : readSplitFile(splitFile, captions, path);
  return [...captions].flatMap(([fileName, { captions: texts, where }], i) => {
    if (chosen !== undefined && !chosen.has(fileName)) return [];
    return [{ id: i + 1, fileName, path: imagePath(imageDir, fileName, where), captions: texts }];
  });
}

function readSplitFile(path: string, captions: NamedCaptions, captionsPath: string): Set<string> {
  const names = new Set<string>();
  for (const [i, line] of textLines(readText(path, 'split')).entries()) {
    const name = line.trim();
    if (name === '') continue;
    const expected = (what: string): UserError =>
      new UserError(`${path}: line ${i + 1}: expected ${what}, got ${describeValue(name)}`);
    if (!captions.has(name)) throw expected(`the name of an image of ${captionsPath}`);
    if (names.has(name)) throw expected('every image once');
    names.add(name);
  }
  if (names.size === 0) throw new UserError(`${path}: expected one image name per line, got none`);
  return names;
}
