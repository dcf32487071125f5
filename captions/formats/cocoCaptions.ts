import { z } from 'zod';
import { parseFile } from '#src/config';
import { imagePath } from '#src/data';
import { UserError } from '#src/errors';
import { type CaptionedImage, ImageId, refuseRepeatedIds } from './captionedImage.js';
import { NOCAPS_DOMAINS } from './captionSource.js';
import { CaptionText } from './captionText.js';

const image = z.object(
  { id: ImageId, file_name: z.string('a string').min(1, 'a file name'), domain: z.unknown().optional() },
  'an object',
);
const nocapsImage = image.extend({ domain: z.enum(NOCAPS_DOMAINS, `one of ${NOCAPS_DOMAINS.join(', ')}`) });

const annotation = z.object({ image_id: ImageId, caption: CaptionText }, 'an object');

const A_FILE = 'an object with images and annotations';
const someImages = <I extends z.ZodType>(entry: I) => z.array(entry, 'an array').min(1, 'at least one image');

/** How a file is read. */
export interface CocoOptions {
  /** `nocaps`: every image needs one of the three domains. Default: `coco`. */
  readonly format?: 'coco' | 'nocaps';
  /** Default: true. Otherwise the images alone are read, whatever the annotations are, or if there are none. */
  readonly needsCaptions?: boolean;
}

/**
 * Images and captions of a COCO captions file (`images` with `id` and `file_name`, `annotations` with `image_id` and
 * `caption`; https://cocodataset.org/#format-data), in the order of `images`. Other fields are ignored, except the
 * `domain` of an image, which nocaps has.
 *
 * @param json the parsed file
 * @throws UserError naming file, entry and field, for a missing or wrong field, an image id used twice, an annotation of
 *   an unknown image
 */
export function parseCocoCaptions(
  json: unknown,
  path: string,
  imageDir: string,
  { format = 'coco', needsCaptions = true }: CocoOptions = {},
): CaptionedImage[] {
  if (isPredictions(json)) {
    throw new UserError(
      `${path}: the file: expected ${A_FILE}, got an array of predictions; captions to compare them with are in another file`,
    );
  }
  const shape = z.object({ images: someImages(format === 'nocaps' ? nocapsImage : image) }, A_FILE);
  const { images } = parseFile(shape, json, path);
  refuseRepeatedIds(
    images.map(({ id }) => id),
    (entry) => `${path}: images[${entry}].id`,
  );
  const captions = new Map<number, string[]>(images.map(({ id }) => [id, []]));
  if (needsCaptions) {
    for (const [entry, { image_id: imageId, caption }] of readAnnotations(json, path).entries()) {
      const known = captions.get(imageId);
      if (known === undefined) {
        throw new UserError(
          `${path}: annotations[${entry}].image_id: expected the id of an entry of images, got ${imageId}`,
        );
      }
      known.push(caption);
    }
  }
  return images.map(({ id, file_name: fileName, domain }, entry) => ({
    id,
    fileName,
    path: imagePath(imageDir, fileName, `${path}: images[${entry}].file_name`),
    captions: captions.get(id) as string[],
    ...(typeof domain === 'string' ? { domain } : {}),
  }));
}

function readAnnotations(json: unknown, path: string): z.output<typeof annotation>[] {
  const { annotations } = json as { annotations?: unknown };
  if (annotations === undefined) {
    throw new UserError(
      `${path}: annotations: expected an array of captions, got nothing: a list of images alone can be captioned, not learned from or scored against`,
    );
  }
  if (Array.isArray(annotations)) {
    const label = annotations.findIndex((one) => hasKey(one, 'category_id') && !hasKey(one, 'caption'));
    if (label >= 0) {
      throw new UserError(
        `${path}: annotations[${label}].caption: expected a caption, got a category_id: this file has labels of objects; captions are in another one (captions_*.json)`,
      );
    }
  }
  return parseFile(z.object({ annotations: z.array(annotation, 'an array') }, A_FILE), json, path).annotations;
}

/** Whether JSON looks like a COCO results file: one caption per image id. */
export function isPredictions(json: unknown): boolean {
  return Array.isArray(json) && hasKey(json[0], 'image_id') && hasKey(json[0], 'caption');
}

function hasKey(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}
