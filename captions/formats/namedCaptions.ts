/** @file Captions of images that are identified by file name only: ids are 1, 2, 3, … in the order of the captions file. */
import { join } from 'node:path';
import { describeValue } from '#src/config';
import { UserError } from '#src/errors';
import type { CaptionedImage } from './captionedImage.js';
import { readText } from './captionText.js';

/** File name to captions, in file order. */
export type NamedCaptions = Map<string, string[]>;

/** @throws UserError for an empty caption or name. @param where file and line */
export function addCaption(captions: NamedCaptions, name: string, caption: string, where: string): void {
  if (name === '') throw new UserError(`${where}: image: expected a file name, got nothing`);
  if (caption === '') {
    throw new UserError(`${where}: caption: expected a caption with at least one word (remove the line), got nothing`);
  }
  const known = captions.get(name);
  if (known === undefined) captions.set(name, [caption]);
  else known.push(caption);
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
  return [...captions].flatMap(([fileName, texts], i) => {
    if (chosen !== undefined && !chosen.has(fileName)) return [];
    return [{ id: i + 1, fileName, path: join(imageDir, fileName), captions: texts }];
  });
}

function readSplitFile(path: string, captions: NamedCaptions, captionsPath: string): Set<string> {
  const names = new Set<string>();
  for (const [i, line] of readText(path).split(/\r?\n/).entries()) {
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
