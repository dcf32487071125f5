import { z } from 'zod';
import { parseFile } from '#src/config';
import { imagePath, KARPATHY_SPLITS, type KarpathySplit, karpathyFileName } from '#src/data';
import { UserError } from '#src/errors';
import { type CaptionedImage, ImageId, refuseRepeatedIds } from './captionedImage.js';
import { CaptionText } from './captionText.js';

const karpathyFile = z.object(
  {
    images: z
      .array(
        z.object(
          {
            imgid: ImageId,
            cocoid: ImageId.optional(),
            filename: z.string('a string').min(1, 'a file name'),
            filepath: z.string('a string').optional(),
            split: z.enum(KARPATHY_SPLITS, `one of ${KARPATHY_SPLITS.join(', ')}`),
            sentences: z.array(z.object({ raw: CaptionText }, 'an object'), 'an array'),
          },
          'an object',
        ),
        'an array',
      )
      .min(1, 'at least one image'),
  },
  'an object with images',
);

/** Whether JSON looks like a Karpathy split file: sentences inside `images`, where COCO has a separate `annotations`. */
export function isKarpathyFile(json: unknown): boolean {
  const images = (json as { images?: unknown } | null)?.images;
  return Array.isArray(images) && typeof images[0] === 'object' && images[0] !== null && 'sentences' in images[0];
}

/**
 * Images and captions of a Karpathy split file (`dataset_coco.json`, `dataset_flickr8k.json`, `dataset_flickr30k.json`:
 * https://cs.stanford.edu/people/karpathy/deepimagesent/), in file order. The id is `cocoid` if every image has
 * one, so that predictions match COCO's own annotations, otherwise `imgid`. `filepath` is a subfolder of `imageDir`.
 *
 * @param json the parsed file
 * @param splits the splits to use
 * @throws UserError naming file, entry and field, for a missing or wrong field, an id used twice, or no image of the splits
 */
export function parseKarpathySplits(
  json: unknown,
  path: string,
  imageDir: string,
  splits: readonly KarpathySplit[],
): CaptionedImage[] {
  const { images } = parseFile(karpathyFile, json, path);
  const idField = images.every(({ cocoid }) => cocoid !== undefined) ? 'cocoid' : 'imgid';
  const ids = images.map((image) => image[idField] as number);
  refuseRepeatedIds(ids, (entry) => `${path}: images[${entry}].${idField}`);
  const chosen = images.flatMap((image, entry): CaptionedImage[] => {
    const { split, sentences } = image;
    if (!splits.includes(split)) return [];
    const fileName = karpathyFileName(image);
    const captions = sentences.map(({ raw }) => raw);
    const where = `${path}: images[${entry}].filename`;
    return [{ id: ids[entry], fileName, path: imagePath(imageDir, fileName, where), captions, split }];
  });
  if (chosen.length === 0) {
    const held = KARPATHY_SPLITS.filter((split) => images.some((image) => image.split === split));
    throw new UserError(`${path}: expected images of the split ${splits.join(', ')}, got only ${held.join(', ')}`);
  }
  return chosen;
}
