import { resolve } from 'node:path';
import { passedOverLine } from '#src/data';
import { ConfigError, UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { type AugmentConfig, checkAugment, drawAugmentation, flipCells, writePixelValues } from './augment.js';
import { listClassFolders } from './classFolders.js';
import { readCocoFile } from './cocoFile.js';
import type { ImageDataConfig, Preprocessing } from './imageDataConfig.js';
import { listImageFolder } from './imageFolder.js';
import { readImageShards } from './imageShards.js';
import { joinImages } from './joinImages.js';
import { readKarpathyFile } from './karpathyFile.js';
import { countLabels, type LabelCounts } from './labelCounts.js';
import type { ImageEntry, LabelledImages, LabelNames, LabelRequirement } from './labelledImages.js';
import type { BrokenImage, PackedImages } from './packedImages.js';
import { type PackOptions, packImages } from './packImages.js';
import { renumberLabels } from './renumberLabels.js';

/** A batch of images with the labels of their data set; `cells` and `pixelValues` are row-major. */
export interface ImageBatch {
  readonly batch: number;
  /** [batch, imageSize, imageSize, 3] in [-1, 1]. */
  readonly pixelValues: Float32Array;
  /** [batch], index into `classNames`. */
  readonly labels?: Int32Array;
  /** [batch, attributeNames], 0 or 1. */
  readonly attributes?: Float32Array;
  /** [batch, rows, cols, grid.attributes], index into the attribute's values. */
  readonly cells?: Int32Array;
  /** [batch], index into the data set. */
  readonly indices: Int32Array;
}

export interface BatchOptions {
  readonly batchSize: number;
  readonly seed: number;
  readonly augment?: AugmentConfig;
  /** Buffer for the pixel values, [batchSize, imageSize, imageSize, 3]. Default: newly allocated. */
  readonly into?: Float32Array;
}

export interface ImageDataset extends LabelNames {
  readonly size: number;
  readonly imageSize: number;
  readonly paths: readonly string[];
  /** Unreadable images of the whole source, on both sides of a split. */
  readonly broken: readonly BrokenImage[];
  /** Position of each image in its source (COCO `images`, or files in path order), for joining other data on it. */
  readonly indices: readonly number[];
  /** How often each label occurs. */
  labelCounts(): LabelCounts;
  /**
   * The training batch of `step`, a pure function of its arguments, so a resumed run needs only the step number. Each epoch
   * is a new permutation of the images; a batch may span the end of one epoch and the start of the next.
   */
  batchAt(step: number, options: BatchOptions): ImageBatch;
  /** The named images, unchanged. */
  batchOf(indices: ArrayLike<number>): ImageBatch;
  /**
   * All images once, unchanged and in order; the last batch may be smaller.
   *
   * @param limit maximum number of images: the same sample of the whole data set on every call
   */
  validationBatches(batchSize: number, limit?: number): Generator<ImageBatch>;
  close(): void;
}

export interface OpenOptions {
  /** Folder that paths of the config are relative to. */
  readonly baseDir: string;
  readonly cacheDir: string;
  readonly imageSize: number;
  readonly requirement: LabelRequirement;
  /** Which side of the `validationShare` split. Default `train`, which is everything when the share is 0. */
  readonly split?: 'train' | 'validation';
  /** Index labels as in this training set or checkpoint, instead of by the labels that this source contains. */
  readonly like?: LabelNames;
  /** Takes a line about files that are not used. */
  readonly note?: (line: string) => void;
}

/**
 * Opens image data: lists it, decodes it into the packed cache unless it is already there, and serves batches from the cache.
 *
 * @throws ConfigError when the kind of data can't carry the labels that `requirement` asks for
 * @throws UserError for missing or empty folders, invalid annotations, too many broken images, an empty split
 */
export async function openImageDataset(config: ImageDataConfig, options: OpenOptions): Promise<ImageDataset> {
  const split = options.split ?? 'train';
  if (split === 'validation' && config.validationShare === 0) {
    throw new ConfigError('data.validationShare: expected a share above 0 for a validation split, got 0');
  }
  const source = renumberLabels(readSource(config, options), options.like, describe(config));
  const passedOver = passedOverLine(describe(config), source.passedOver ?? []);
  if (passedOver !== undefined) options.note?.(passedOver);
  const { imageSize, cacheDir } = options;
  const { resize, background, maxBrokenShare, maxImagePixels, validationShare, validationSeed } = config;
  const settings = { imageSize, resize, background, maxImagePixels };
  const packing = { ...settings, maxBrokenShare, cacheDir };
  const packed = await packImages(source.entries, packing);
  const rows = [...packed.entryIndices.keys()].filter((row) => {
    const { key } = source.entries[packed.entryIndices[row]];
    const held = validationShare > 0 && createRandom(validationSeed, 'validation', key).uniform() < validationShare;
    return held === (split === 'validation');
  });
  if (rows.length === 0) {
    packed.close();
    const share = `validationShare ${validationShare} of ${packed.count} images`;
    throw new UserError(`${describe(config)}: the ${split} split is empty (${share}); change validationShare`);
  }
  return datasetOf(source, packed, rows);
}

/**
 * Opens an explicit list of images, without labels, through the same packed cache.
 *
 * @throws UserError for an empty list, or more broken images than `maxBrokenShare` (default 0) allows
 */
export async function openImageList(
  entries: readonly ImageEntry[],
  { resize, background }: Preprocessing,
  options: Pick<PackOptions, 'imageSize' | 'cacheDir' | 'maxBrokenShare' | 'maxImagePixels' | 'advice'>,
): Promise<ImageDataset> {
  const packed = await packImages(entries, { ...options, resize, background });
  return datasetOf({ entries }, packed, [...packed.entryIndices.keys()]);
}

function readSource(config: ImageDataConfig, { baseDir, requirement }: OpenOptions): LabelledImages {
  const refuse = (needed: string, remedy: string): never => {
    throw new ConfigError(`data: the objective needs ${needed}, kind '${config.kind}' has none; ${remedy}`);
  };
  const isOf = (...kinds: readonly ImageDataConfig['kind'][]): boolean => kinds.includes(config.kind);
  if (requirement === 'class' && !isOf('classFolders', 'webdataset')) {
    refuse('a class per image', "use kind 'classFolders' or 'webdataset'");
  }
  if (requirement === 'attributes' && !isOf('coco', 'webdataset')) {
    refuse('attributes per image', "use kind 'coco' or 'webdataset'");
  }
  if (requirement === 'grid' && !isOf('coco', 'webdataset')) {
    refuse('labels per grid cell', "use kind 'coco' or 'webdataset'");
  }
  if (requirement === 'grid' && config.resize !== 'stretch') {
    throw new ConfigError(`data.resize: expected 'stretch', which keeps grid labels in place, got '${config.resize}'`);
  }
  if (config.kind === 'classFolders') return listClassFolders(resolve(baseDir, config.path));
  if (config.kind === 'webdataset') {
    const paths = [config.path].flat().map((path) => resolve(baseDir, path));
    return readImageShards(paths, requirement, config.grid);
  }
  if (config.kind === 'folder') return listImageFolder(resolve(baseDir, config.path));
  const images = config.images === undefined ? undefined : resolve(baseDir, config.images);
  if (config.kind === 'karpathy') return readKarpathyFile(resolve(baseDir, config.path), images, [config.split].flat());
  const files = [config.annotations].flat().map((path) => resolve(baseDir, path));
  if (requirement === 'grid' && files.length > 1) {
    throw new ConfigError(`data.annotations: expected one file with labels on a grid, got ${files.length}`);
  }
  return joinImages(files.map((path) => readCocoFile(path, images, requirement === 'class' ? 'none' : requirement)));
}

function describe(config: ImageDataConfig): string {
  return [config.kind === 'coco' ? config.annotations : config.path].flat().join(', ');
}

function datasetOf(source: LabelledImages, packed: PackedImages, rows: readonly number[]): ImageDataset {
  const { imageSize } = packed;
  const { classNames, attributeNames, grid } = source;
  const valuesPerImage = imageSize * imageSize * 3;
  const indices = rows.map((row) => packed.entryIndices[row]);
  const permutation = cacheLastTwo((seed: number, epoch: number) =>
    Int32Array.from(createRandom(seed, 'images', epoch).shuffled([...rows.keys()])),
  );

  const assemble = (
    chosen: Int32Array,
    { augment, seed = 0, into }: Partial<BatchOptions> = {},
    step = 0,
  ): ImageBatch => {
    const batch = chosen.length;
    const bytes = new Uint8Array(valuesPerImage);
    const pixelValues = into ?? new Float32Array(batch * valuesPerImage);
    const labels = source.labels && new Int32Array(batch);
    const attributes = source.attributes && new Float32Array(batch * (attributeNames?.length ?? 0));
    const cellsPerImage = grid ? grid.rows * grid.cols * grid.attributes.length : 0;
    const cells = source.cells && new Int32Array(batch * cellsPerImage);
    for (let i = 0; i < batch; i++) {
      const entry = indices[chosen[i]];
      const augmentation = augment && drawAugmentation(augment, createRandom(seed, 'augment', step, i));
      packed.read(rows[chosen[i]], bytes, 0);
      writePixelValues(bytes, imageSize, pixelValues, i * valuesPerImage, augmentation);
      if (labels && source.labels) labels[i] = source.labels[entry];
      if (attributes && source.attributes && attributeNames) {
        const width = attributeNames.length;
        attributes.set(source.attributes.subarray(entry * width, (entry + 1) * width), i * width);
      }
      if (cells && source.cells && grid) {
        const own = source.cells.subarray(entry * cellsPerImage, (entry + 1) * cellsPerImage);
        cells.set(augmentation?.flip ? flipCells(own, grid) : own, i * cellsPerImage);
      }
    }
    return { batch, pixelValues, labels, attributes, cells, indices: chosen };
  };

  return {
    size: rows.length,
    imageSize,
    classNames,
    attributeNames,
    grid,
    paths: rows.map((row) => packed.paths[row]),
    broken: packed.broken,
    indices,
    labelCounts: () => countLabels(source, indices),
    batchAt(step, options) {
      const { batchSize, seed, augment } = options;
      if (augment) checkAugment(augment, { imageSize, grid });
      const chosen = Int32Array.from({ length: batchSize }, (_, i) => {
        const position = step * batchSize + i;
        return permutation(seed, Math.floor(position / rows.length))[position % rows.length];
      });
      return assemble(chosen, options, step);
    },
    batchOf: (chosen) => assemble(Int32Array.from(chosen)),
    *validationBatches(batchSize, limit = rows.length) {
      const everything = Int32Array.from(rows.keys());
      const sample =
        limit < rows.length
          ? createRandom(0, 'evaluation')
              .shuffled([...everything])
              .slice(0, limit)
          : everything;
      const chosen = Int32Array.from(sample).sort();
      for (let start = 0; start < chosen.length; start += batchSize) {
        yield assemble(chosen.slice(start, start + batchSize));
      }
    },
    close: packed.close,
  };
}

/** Caches the last two results: consecutive batches need one epoch's permutation, or two at the end of an epoch. */
function cacheLastTwo<T>(make: (seed: number, epoch: number) => T): (seed: number, epoch: number) => T {
  const kept: { seed: number; epoch: number; value: T }[] = [];
  return (seed, epoch) => {
    const found = kept.find((item) => item.seed === seed && item.epoch === epoch);
    if (found !== undefined) return found.value;
    const value = make(seed, epoch);
    kept.unshift({ seed, epoch, value });
    kept.length = Math.min(kept.length, 2);
    return value;
  };
}
