import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#src/errors';
import { readJson } from '#src/storage';
import type { CaptionImage } from './imageFolder.js';
import { parseFile } from './parseFile.js';

const image = z.looseObject(
  { id: z.int('an integer'), file_name: z.string('a string').min(1, 'a file name') },
  'an object',
);

const annotation = z.looseObject(
  {
    image_id: z.int('an integer'),
    caption: z.string('a string').regex(/\S/, 'a caption with at least one word (remove the entry)'),
  },
  'an object',
);

const cocoCaptions = z.looseObject(
  { images: z.array(image, 'an array').min(1, 'at least one image'), annotations: z.array(annotation, 'an array') },
  'an object with images and annotations',
);

export interface CocoCaptionsOptions {
  /** Where `file_name` is looked up; `images` beside the JSON where there is such a folder, otherwise the JSON's own. */
  readonly imageDir?: string;
  /** Whether every image file must exist; false when not given. */
  readonly requireImageFiles?: boolean;
}

export interface CocoCaptions {
  /** In the order of the file. */
  readonly images: readonly CaptionImage[];
  /** Image id to its captions, in the order of the file, without white space at their ends; no image without captions. */
  readonly captions: ReadonlyMap<number, readonly string[]>;
  /** Ids of images that no annotation describes: nothing to train on or to score against. */
  readonly uncaptioned: readonly number[];
}

/**
 * Images and captions of a COCO captions file (`images` with `id` and `file_name`, `annotations` with `image_id` and
 * `caption`; other fields are ignored).
 *
 * @throws UserError naming file, entry and field, for bad JSON, a missing or wrong field, an image id used twice, an
 *   annotation of an unknown image, or (when required) a missing image file
 */
export function readCocoCaptions(path: string, options: CocoCaptionsOptions = {}): CocoCaptions {
  const file = parseFile(cocoCaptions, readJson(path, 'COCO captions'), path);
  const imageDir = options.imageDir ?? defaultImageDir(path);
  const firstEntry = new Map<number, number>();
  const images = file.images.map(({ id, file_name: fileName }, entry) => {
    const earlier = firstEntry.get(id);
    if (earlier !== undefined) {
      throw new UserError(
        `${path}: images[${entry}].id: expected an id of its own, got ${id}, that of images[${earlier}]`,
      );
    }
    firstEntry.set(id, entry);
    const imagePath = join(imageDir, fileName);
    if (options.requireImageFiles && !existsSync(imagePath)) {
      throw new UserError(
        `${path}: images[${entry}].file_name: expected the file ${imagePath}, got none: give the folder that holds the images`,
      );
    }
    return { id, fileName, path: imagePath };
  });
  const captions = new Map<number, string[]>();
  for (const [entry, { image_id: imageId, caption }] of file.annotations.entries()) {
    if (!firstEntry.has(imageId)) {
      throw new UserError(
        `${path}: annotations[${entry}].image_id: expected the id of an entry of images, got ${imageId}`,
      );
    }
    const known = captions.get(imageId);
    if (known === undefined) captions.set(imageId, [caption.trim()]);
    else known.push(caption.trim());
  }
  return { images, captions, uncaptioned: images.map(({ id }) => id).filter((id) => !captions.has(id)) };
}

function defaultImageDir(path: string): string {
  const beside = join(dirname(path), 'images');
  return statSync(beside, { throwIfNoEntry: false })?.isDirectory() ? beside : dirname(path);
}
