import { dirname, join, relative, sep } from 'node:path';
import {
  type CaptionedImage,
  type CaptionSource,
  captionSourceArgument,
  captionSourceName,
  isKarpathyFile,
  loadCaptions,
} from '#captions/formats';
import { KARPATHY_SPLITS } from '#src/data';
import { ConfigError, UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { readJson, writeFileAtomic, writeJsonAtomic } from '#src/storage';

/** The user's images with captions, as they were found. */
export interface CaptionData {
  /** In words, such as `COCO JSON`. */
  readonly format: string;
  /** Every one with at least one caption, and with a file of its own. */
  readonly images: readonly CaptionedImage[];
  readonly numWithoutCaptions: number;
}

/** The images of each split. */
export interface CaptionSplits {
  readonly train: readonly CaptionedImage[];
  readonly validation: readonly CaptionedImage[];
  readonly test: readonly CaptionedImage[];
  /** Whether validation and test images are those that the data name; otherwise they were drawn. */
  readonly given: boolean;
}

/**
 * Reads the user's captions and finds every image file.
 *
 * @param captions a path, or a source as YAML in braces
 * @param images folder of the image files; undefined: where the format has them
 * @param note takes a line about files of a folder that are passed over
 * @param least how many images with captions there must be
 * @throws UserError or ConfigError when the captions cannot be read, or an image file is missing
 */
export function readCaptionData(
  captions: string,
  images: string | undefined,
  note?: (line: string) => void,
  least = 3,
): CaptionData {
  const given = captionSourceArgument(captions);
  const [source, format] = withAllSplits(given);
  const isPath = typeof source === 'string';
  const takesImages = !isPath && source.format !== 'sidecar' && source.format !== 'webdataset';
  if (images !== undefined && !isPath && !takesImages) {
    throw new ConfigError(`--images: ${captionSourceName(source)} holds its own images; leave --images out`);
  }
  const all = loadCaptions(takesImages && images !== undefined ? { ...source, images } : source, {
    images: isPath ? images : undefined,
    requireImageFiles: true,
    advice: 'give the folder that contains them as --images',
    note,
  });
  const name = captionSourceName(source);
  if (all.some(({ member }) => member !== undefined)) {
    throw new UserError(`${name}: expected image files, got shards; unpack them into a folder first`);
  }
  const withCaptions = all.filter((image) => image.captions.length > 0);
  if (withCaptions.length < least) {
    const use = least > 1 ? ', for training, validation and test' : '';
    throw new UserError(
      `${name}: expected at least ${least} ${least > 1 ? 'images' : 'image'} with captions${use}; got ${withCaptions.length}`,
    );
  }
  return { format, images: withCaptions, numWithoutCaptions: all.length - withCaptions.length };
}

/** The user's captions, where each split may have a file of its own. */
export interface CaptionFiles {
  /** A path, or a source as YAML in braces; of all images, or of those that no other file is of. */
  readonly captions: string;
  readonly validation: string | undefined;
  readonly test: string | undefined;
  /** Folder of the image files; undefined: where the format has them. */
  readonly images: string | undefined;
}

/**
 * `readCaptionData` of one file, or of one for each split.
 *
 * @throws UserError also for an image that is in two of the files
 */
export function readCaptionFiles(
  { captions, validation, test, images }: CaptionFiles,
  note?: (line: string) => void,
): CaptionData {
  if (validation === undefined && test === undefined) return readCaptionData(captions, images, note);
  const read: CaptionData[] = [];
  const splitOf = new Map<string, string>();
  for (const [file, split, name] of [
    [captions, undefined, 'training'],
    [validation, 'val', 'validation'],
    [test, 'test', 'test'],
  ] as const) {
    if (file === undefined) continue;
    const data = readCaptionData(file, images, note, 1);
    for (const { path, fileName } of data.images) {
      const other = splitOf.get(path) ?? name;
      if (other !== name) {
        throw new UserError(
          `${file}: expected images of their own for ${name}, got ${fileName}, which is among those for ${other} too`,
        );
      }
      splitOf.set(path, name);
    }
    read.push(split === undefined ? data : { ...data, images: data.images.map((image) => ({ ...image, split })) });
  }
  return {
    format: [...new Set(read.map(({ format }) => format))].join(' and '),
    images: read.flatMap((data) => data.images),
    numWithoutCaptions: read.reduce((sum, { numWithoutCaptions }) => sum + numWithoutCaptions, 0),
  };
}

/** The source with every split of a Karpathy file that names none, and its format in words. */
function withAllSplits(source: CaptionSource): [CaptionSource, string] {
  if (typeof source !== 'string') return [source, source.format];
  if (/\.json$/i.test(source)) {
    if (!isKarpathyFile(readJson(source, 'captions'))) return [source, 'COCO JSON'];
    return [{ format: 'karpathy', path: source, split: [...KARPATHY_SPLITS] }, 'Karpathy splits'];
  }
  return [source, /\.[a-z]+$/i.test(source) ? 'text file' : 'folder with a text file beside each image'];
}

/** Validation and test images are a tenth each where the data have none, but no more than so many. */
const SHARE = 0.1;
const MOST = 1000;

/** The splits that the data name; where they name no validation or no test images those are drawn from the training images. */
export function splitCaptions(images: readonly CaptionedImage[]): CaptionSplits {
  const named = (split: string): CaptionedImage[] => images.filter((image) => image.split === split);
  const given = { validation: named('val'), test: named('test') };
  const rest = images.filter(({ split }) => split !== 'val' && split !== 'test');
  const count = Math.min(MOST, Math.max(1, Math.round(SHARE * rest.length)));
  const drawn = createRandom(0, 'init', 'splits').shuffled(rest);
  const validation = given.validation.length > 0 ? given.validation : drawn.splice(0, count);
  const test = given.test.length > 0 ? given.test : drawn.splice(0, count);
  if (drawn.length === 0)
    throw new UserError('captions: expected images to train on besides validation and test, got none');
  const kept = new Set(drawn);
  return {
    // In the order of the file, whatever was drawn.
    train: rest.filter((image) => kept.has(image)),
    ...{ validation, test },
    given: given.validation.length > 0 && given.test.length > 0,
  };
}

/**
 * Writes the captions of each split as COCO JSON, and those of training and validation also as text, one per line.
 *
 * @returns the folder of the image files, from `folder`, as the experiment names it
 */
export function writeCaptionSplits(splits: CaptionSplits, folder: string): string {
  const { train, validation, test } = splits;
  const imageDir = commonFolder([...train, ...validation, ...test].map(({ path }) => dirname(path)));
  for (const [name, images] of Object.entries({ train, validation, test })) {
    writeJsonAtomic(join(folder, 'captions', `${name}.json`), {
      images: images.map(({ id, path }) => ({ id, file_name: slashes(relative(imageDir, path)) })),
      annotations: images.flatMap(({ id, captions }) => captions.map((caption) => ({ image_id: id, caption }))),
    });
  }
  for (const [name, images] of Object.entries({ train, validation })) {
    const lines = images.flatMap(({ captions }) => captions.map((caption) => `${caption.replace(/\s+/g, ' ')}\n`));
    writeFileAtomic(join(folder, 'captions', `${name}.txt`), lines.join(''));
  }
  return slashes(relative(folder, imageDir)) || '.';
}

/** The deepest folder that holds all others. */
function commonFolder(folders: readonly string[]): string {
  let common = folders[0].split(sep);
  for (const folder of new Set(folders)) {
    const parts = folder.split(sep);
    const end = common.findIndex((part, i) => part !== parts[i]);
    if (end !== -1) common = common.slice(0, end);
  }
  return common.join(sep) || sep;
}

function slashes(path: string): string {
  return path.replaceAll(sep, '/');
}
