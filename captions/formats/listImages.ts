import { listShards } from '#src/data';
import { ConfigError, UserError } from '#src/errors';
import { fileStatus } from '#src/storage';
import type { CaptionImage } from './captionedImage.js';
import { type CaptionSource, captionSourceArgument, captionSourceName } from './captionSource.js';
import { readImageFile, readImageFolder } from './imageFolder.js';
import { loadCaptions } from './loadCaptions.js';

export interface ListImagesOptions {
  /** Folder of the image files, for captions files. */
  readonly images?: string | undefined;
  /** Whether files that captions name may be missing. Default: false. */
  readonly mayMiss?: boolean;
  /** Takes a line about files of a folder that are passed over. */
  readonly note?: (line: string) => void;
}

/** Images of one argument of the command line. */
export interface ImageArgument {
  readonly images: readonly CaptionImage[];
  /** Whether their ids are those of their data set; otherwise they are numbered from 1. */
  readonly ownIds: boolean;
  /** Whether they are of a captions file, whose images may lie in a folder of their own. */
  readonly ofCaptions: boolean;
}

/**
 * The images that a command-line argument names: an image file, a folder of images, or captions of any format, of which
 * only the images are used.
 *
 * @param argument a path, or a source as a YAML mapping
 * @throws UserError when there is no image, or an image file is missing
 */
export function listImages(argument: string, options: ListImagesOptions = {}): readonly CaptionImage[] {
  return readImageArgument(argument, options).images;
}

/** As `listImages`, with what kind of argument it is. */
export function readImageArgument(argument: string, options: ListImagesOptions = {}): ImageArgument {
  const source = captionSourceArgument(argument);
  const { images: imageDir, mayMiss = false, note } = options;
  if (typeof source === 'string') {
    const status = fileStatus(source, 'images');
    if (status === undefined) throw new UserError(`cannot read images ${source}: no such file or folder`);
    if (status.isDirectory() && listShards(source).length === 0) {
      refuseImageDir(imageDir, source);
      return { images: readImageFolder(source, note).images, ownIds: false, ofCaptions: false };
    }
    const image = status.isDirectory() ? undefined : readImageFile(source);
    if (image !== undefined) return { images: [image], ownIds: false, ofCaptions: false };
  }
  const images = loadCaptions(withImageDir(source, imageDir), {
    images: typeof source === 'string' ? imageDir : undefined,
    requireImageFiles: !mayMiss,
    needsCaptions: false,
    note,
  });
  return { images, ownIds: hasOwnIds(source), ofCaptions: true };
}

/** The source with its images in the folder given beside it. */
function withImageDir(source: CaptionSource, imageDir: string | undefined): CaptionSource {
  if (imageDir === undefined || typeof source === 'string') return source;
  if (source.format === 'sidecar' || source.format === 'webdataset')
    refuseImageDir(imageDir, captionSourceName(source));
  if ('images' in source && source.images !== undefined) {
    throw new ConfigError(
      `--images: ${captionSourceName(source)} names its image folder already: leave one of them out`,
    );
  }
  return { ...source, images: imageDir } as CaptionSource;
}

function refuseImageDir(imageDir: string | undefined, source: string): void {
  if (imageDir === undefined) return;
  throw new ConfigError(
    `--images: ${source} holds its own images; it is for captions files whose images lie elsewhere`,
  );
}

function hasOwnIds(source: CaptionSource): boolean {
  if (typeof source === 'string') return /\.json$/i.test(source);
  return source.format === 'coco' || source.format === 'nocaps' || source.format === 'karpathy';
}
