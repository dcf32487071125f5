import { resolve } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { imagePath, KARPATHY_SPLITS, type KarpathySplit, karpathyFileName } from '#src/data';
import { UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { besideImages } from './cocoFile.js';
import { assertFolder } from './imageFolder.js';
import type { LabelledImages } from './labelledImages.js';

const KarpathyFile = z.object({
  images: z.array(
    z.object({
      filename: z.string().min(1),
      filepath: z.string().optional(),
      split: z.enum(KARPATHY_SPLITS),
    }),
  ),
});

/**
 * The images of some splits of a Karpathy file, without labels, in file order.
 *
 * @param imageFolder default: as for COCO files
 * @throws UserError naming file, entry and field, or when the splits have no image
 */
export function readKarpathyFile(
  path: string,
  imageFolder: string | undefined,
  splits: readonly KarpathySplit[],
): LabelledImages {
  const { images } = parseFile(KarpathyFile, readJson(path, 'images'), path);
  const folder = imageFolder ?? besideImages(path);
  assertFolder(folder);
  const entries = images.flatMap((image, i) => {
    if (!splits.includes(image.split)) return [];
    const key = karpathyFileName(image);
    return [{ path: resolve(imagePath(folder, key, `${path}: images[${i}].filename`)), key }];
  });
  if (entries.length === 0)
    throw new UserError(`empty dataset: ${path} has no images of the split ${splits.join(', ')}`);
  return { entries };
}
