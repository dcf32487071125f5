import { join } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { UserError } from '#src/errors';
import { type CaptionedImage, refuseRepeatedIds } from './captionedImage.js';
import { NOCAPS_DOMAINS } from './captionSource.js';

const image = z.object(
  { id: z.int('an integer'), file_name: z.string('a string').min(1, 'a file name'), domain: z.unknown().optional() },
  'an object',
);
const nocapsImage = image.extend({ domain: z.enum(NOCAPS_DOMAINS, `one of ${NOCAPS_DOMAINS.join(', ')}`) });

const annotation = z.object(
  {
    image_id: z.int('an integer'),
    caption: z.string('a string').regex(/\S/, 'a caption with at least one word (remove the entry)'),
  },
  'an object',
);

function cocoFile<I extends z.ZodType>(entry: I) {
  return z.object(
    { images: z.array(entry, 'an array').min(1, 'at least one image'), annotations: z.array(annotation, 'an array') },
    'an object with images and annotations',
  );
}
const cocoCaptions = cocoFile(image);
const nocapsCaptions = cocoFile(nocapsImage);

/**
 * Images and captions of a COCO captions file (`images` with `id` and `file_name`, `annotations` with `image_id` and
 * `caption`; https://cocodataset.org/#format-data), in the order of `images`. Other fields are ignored, except for a
 * `domain` of images, as nocaps has it.
 *
 * @param json the parsed file
 * @param format `nocaps`: every image needs one of the three domains
 * @throws UserError naming file, entry and field, for a missing or wrong field, an image id used twice, an annotation of
 *   an unknown image
 */
export function parseCocoCaptions(
  json: unknown,
  path: string,
  imageDir: string,
  format: 'coco' | 'nocaps' = 'coco',
): CaptionedImage[] {
  const file = parseFile(format === 'nocaps' ? nocapsCaptions : cocoCaptions, json, path);
  refuseRepeatedIds(
    file.images.map(({ id }) => id),
    (entry) => `${path}: images[${entry}].id`,
  );
  const captions = new Map<number, string[]>(file.images.map(({ id }) => [id, []]));
  for (const [entry, { image_id: imageId, caption }] of file.annotations.entries()) {
    const known = captions.get(imageId);
    if (known === undefined) {
      throw new UserError(
        `${path}: annotations[${entry}].image_id: expected the id of an entry of images, got ${imageId}`,
      );
    }
    known.push(caption.trim());
  }
  return file.images.map(({ id, file_name: fileName, domain }) => ({
    id,
    fileName,
    path: join(imageDir, fileName),
    captions: captions.get(id) as string[],
    ...(typeof domain === 'string' ? { domain } : {}),
  }));
}
