import { extname } from 'node:path';
import { listShards } from '#src/data';
import { ConfigError, UserError } from '#src/errors';
import { fileStatus, readJson, readText } from '#src/storage';
import type { CaptionedImage } from './captionedImage.js';
import { type CaptionSource, captionSourceName, type FormattedSource, resolveSource } from './captionSource.js';
import { isCaptionsTable, parseCaptionsCsv } from './captionsCsv.js';
import { firstLine, isBlank } from './captionText.js';
import { parseCocoCaptions } from './cocoCaptions.js';
import { isTokenLine, parseFlickr8kTokens } from './flickr8kTokens.js';
import { assertImageFiles, defaultImageDir } from './imageFiles.js';
import { isKarpathyFile, parseKarpathySplits } from './karpathySplits.js';
import { namedImages } from './namedCaptions.js';
import { readSidecarFolder } from './sidecarFolder.js';
import { readWebDataset } from './webDataset.js';

export interface LoadCaptionsOptions {
  /** Folder that relative paths are resolved against. Default: the working directory. */
  readonly root?: string;
  /** Folder of the image files, for a source given as a path. */
  readonly images?: string | undefined;
  /** Whether every image file must exist. Default: false. */
  readonly requireImageFiles?: boolean;
  /** Whether there must be captions. Default: true. Otherwise COCO's images are listed whatever their annotations are. */
  readonly needsCaptions?: boolean;
  /** What to do about missing files, for the message. Default: to set the key `images`. */
  readonly advice?: string | undefined;
  /** Takes a line about files of a folder that are passed over. */
  readonly note?: ((line: string) => void) | undefined;
}

/**
 * Images and captions of any format, in file order, including images without captions.
 *
 * @throws UserError naming file, line or entry, and field; ConfigError when the format must be named
 */
export function loadCaptions(source: CaptionSource, options: LoadCaptionsOptions = {}): CaptionedImage[] {
  const { root = '.', requireImageFiles = false, needsCaptions = true, note } = options;
  const resolved = resolveSource(source, root);
  const imageDir = options.images === undefined ? undefined : resolveSource(options.images, root);
  const images =
    typeof resolved === 'string'
      ? readPath(resolved, imageDir, { needsCaptions, note })
      : readFormat(resolved, { needsCaptions, note });
  const name = captionSourceName(resolved);
  if (requireImageFiles) assertImageFiles(images, name, options.advice);
  if (needsCaptions && images.every(({ captions }) => captions.length === 0)) {
    throw new UserError(
      `${name}: expected images with captions, got ${images.length} without any: they can be captioned, not learned from or scored against`,
    );
  }
  return images;
}

type ReadOptions = Pick<LoadCaptionsOptions, 'note'> & { readonly needsCaptions: boolean };

function readFormat(source: FormattedSource, { needsCaptions, note }: ReadOptions): CaptionedImage[] {
  if (source.format === 'sidecar') return readSidecarFolder(source.path, note);
  if (source.format === 'webdataset') return readWebDataset(source.path);
  const { path, images: imageDir = defaultImageDir(source.path) } = source;
  switch (source.format) {
    case 'coco':
      return parseCocoCaptions(readJson(path, 'captions'), path, imageDir, { needsCaptions });
    case 'nocaps': {
      const images = parseCocoCaptions(readJson(path, 'captions'), path, imageDir, { format: 'nocaps', needsCaptions });
      const chosen = images.filter(({ domain }) => source.domain === undefined || domain === source.domain);
      if (chosen.length === 0) throw new UserError(`${path}: expected images of the domain ${source.domain}, got none`);
      return chosen;
    }
    case 'karpathy':
      return parseKarpathySplits(readJson(path, 'captions'), path, imageDir, [source.split].flat());
    case 'flickr8k':
      return namedImages(parseFlickr8kTokens(readText(path, 'captions'), path), path, imageDir, source.splitFile);
    case 'csv':
      return namedImages(parseCaptionsCsv(readText(path, 'captions'), path), path, imageDir, source.splitFile);
  }
}

/** Detects the format from the path and content; never guesses anything that would change which images are used. */
function readPath(path: string, imagesGiven: string | undefined, options: ReadOptions): CaptionedImage[] {
  const { needsCaptions, note } = options;
  const status = fileStatus(path, 'captions');
  if (status === undefined) throw new UserError(`cannot read captions ${path}: no such file or folder`);
  const extension = extname(path).toLowerCase();
  if (status.isDirectory() || extension === '.tar') {
    if (imagesGiven !== undefined && imagesGiven !== path) {
      throw new ConfigError(`images: ${path} contains its own images; expected a captions file with 'images'`);
    }
    return extension === '.tar' || listShards(path).length > 0 ? readWebDataset(path) : readSidecarFolder(path, note);
  }
  const imageDir = imagesGiven ?? defaultImageDir(path);
  if (extension === '.json') {
    const json = readJson(path, 'captions');
    if (!isKarpathyFile(json)) return parseCocoCaptions(json, path, imageDir, { needsCaptions });
    throw new ConfigError(
      `${path}: contains several splits; choose one: { format: karpathy, path: ${path}, split: train } (train, restval, val, test or a list)`,
    );
  }
  const text = readText(path, 'captions');
  if (isCaptionsTable(text)) return namedImages(parseCaptionsCsv(text, path), path, imageDir, undefined);
  if (isTokenLine(firstLine(text))) return namedImages(parseFlickr8kTokens(text, path), path, imageDir, undefined);
  if (isBlank(text)) throw new UserError(`${path}: expected captions, got an empty file`);
  throw new ConfigError(
    `${path}: unknown format: expected .json, .tar, a folder, a CSV file with the header image,caption, or lines of name#number, tab, caption; name the format: { format: flickr8k, path: ${path} }`,
  );
}
