import {
  type CaptionedImage,
  type CaptionImage,
  captionSourceArgument,
  listImages,
  loadCaptions,
} from '#captions/formats';
import { withFileBytes } from '#src/data';
import { UserError } from '#src/errors';
import { systemErrorWords } from '#src/storage';
import { decodeImage, encodePng, largestFile, type VisionModelConfig } from '#vision';
import type { SiteExample } from './manifest.js';

/** Examples that a page has room for. */
const MOST_EXAMPLES = 8;

/** Where examples come from: captions of any format, a folder of images, or an image file. */
export interface ExampleSource {
  readonly argument: string;
  /** Folder of the image files of a captions file. */
  readonly images?: string | undefined;
  readonly note?: (line: string) => void;
}

/** A handful of pictures, evenly over all there are, as the pixels that the model reads. */
export async function examplePictures(
  source: ExampleSource,
  config: VisionModelConfig,
): Promise<{ readonly example: SiteExample; readonly png: Uint8Array }[]> {
  const all = listed(source);
  const count = Math.min(MOST_EXAMPLES, all.length);
  const chosen = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]);
  const settings = { imageSize: config.backbone.imageSize, ...config.preprocessing };
  return await Promise.all(
    chosen.map(async (image, i) => {
      try {
        const pixels = await withFileBytes(image, largestFile({}), (bytes) => decodeImage(bytes, settings));
        const references = 'captions' in image ? image.captions : [];
        const file = `examples/${i + 1}.png`;
        return {
          example: { file, name: image.fileName, references },
          png: await encodePng(pixels, settings.imageSize),
        };
      } catch (error) {
        throw new UserError(`cannot decode image ${image.path}: ${systemErrorWords(error)}`);
      }
    }),
  );
}

function listed({ argument, images, note }: ExampleSource): readonly (CaptionImage | CaptionedImage)[] {
  const source = captionSourceArgument(argument);
  const isCaptions = typeof source !== 'string' || /\.(json|csv|tsv|txt|tar)$/i.test(source);
  if (isCaptions) return loadCaptions(source, { images, requireImageFiles: true, note });
  return listImages(argument, { images, note });
}
