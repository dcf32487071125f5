import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type CaptionSource, captionSourceName, listImageArguments } from '#captions/formats';
import { AlignExperiment, type CaptionPairSource, createTokenWeights, openCaptionPairs } from '#fusion';
import {
  hashTextSource,
  LanguageExperiment,
  openTextDataset,
  readTextDocuments,
  type TextBatch,
  type TextSource,
  type Tokenizer,
  textBatch,
  textSourceName,
} from '#language';
import { parseConfig } from '#src/config';
import { ConfigError, UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { RUN_CONFIG } from '#src/training';
import { openImageDataset, openImageList, VisionExperiment } from '#vision';
import type { InspectedModel } from './inspectedModel.js';

/** Images to run through a model. */
export interface InspectedImages {
  readonly source: string;
  readonly count: number;
  nameOf(index: number): string;
  /** [indices, imageSize, imageSize, 3], in [−1, 1] */
  pixelValues(indices: readonly number[]): Float32Array;
}

/** Texts to run through a model. */
export interface InspectedTexts {
  readonly source: string;
  readonly count: number;
  /** All texts in order; the same on every call. `images`: the image that each is read with. */
  batches(
    batchSize: number,
  ): Iterable<{ readonly first: number; readonly text: TextBatch; readonly images?: Int32Array }>;
}

/** What a model is run on; at least one of images and texts. */
export interface InspectionData {
  readonly images?: InspectedImages;
  readonly texts?: InspectedTexts;
  close(): void;
}

/** Data that the user names, in the place of what the run was validated on. */
export interface DataOptions {
  readonly images: readonly string[];
  readonly texts: readonly TextSource[];
  readonly captions?: CaptionSource;
  /** Most images, texts or pairs. */
  readonly limit: number;
  /** Where relative paths of the run's configuration start; unless given, the folder that holds the run, or the present one. */
  readonly root?: string;
  readonly cacheDir: string;
  readonly note: (line: string) => void;
}

type RunDataOptions = DataOptions & { readonly root: string };

/** Tokens of a text that the user names; longer ones are cut into several. */
const LONGEST_TEXT = 256;

/**
 * Opens the data that a model is inspected on: what the user names, or else the validation data of the model's run.
 *
 * @returns undefined for a model without a run, such as one just merged or converted, and no data named
 * @throws UserError when it cannot be opened
 */
export async function openInspectionData(
  model: InspectedModel,
  path: string,
  options: DataOptions,
): Promise<InspectionData | undefined> {
  const { images, texts, captions } = options;
  if (captions !== undefined) {
    return await openPairs(model, { captions, images: images[0] }, { ...options, root: resolve('.') });
  }
  if (images.length > 0 || texts.length > 0) {
    const opened = images.length > 0 ? await openNamedImages(model, options) : undefined;
    const read = texts.length > 0 ? readNamedTexts(model, options) : undefined;
    return { ...opened, texts: read, close: () => opened?.close() };
  }
  const run = runOf(path);
  if (run === undefined) return undefined;
  // A run is <root>/<name>, unless it was put elsewhere.
  const roots = options.root === undefined ? new Set([dirname(run), resolve('.')]) : [options.root];
  const problems: string[] = [];
  for (const root of roots) {
    try {
      return await openRunData(model, run, { ...options, root });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(error.message);
    }
  }
  const remedy = 'give --root, where the paths of its experiment start, data of your own, or --no-data';
  throw new UserError(`validation data of ${run}: ${problems[0]}; ${remedy}`);
}

/** The run directory of a model; undefined for a checkpoint without one. */
function runOf(path: string): string | undefined {
  const isRun = (folder: string): boolean => existsSync(join(folder, RUN_CONFIG));
  if (isRun(path)) return path;
  const above = dirname(path);
  return basename(above) === 'checkpoints' && isRun(dirname(above)) ? dirname(above) : undefined;
}

async function openRunData(
  model: InspectedModel,
  run: string,
  options: RunDataOptions,
): Promise<InspectionData | undefined> {
  const file = join(run, RUN_CONFIG);
  const config = readJson(file, 'configuration of the run');
  const kind = typeof config === 'object' && config !== null && 'kind' in config ? config.kind : undefined;
  if (kind === 'vision' && model.kind === 'vision') {
    return await openRunImages(model, parseConfig(config, VisionExperiment, file), options);
  }
  if (kind === 'language' && model.kind === 'language') {
    return openRunText(model, parseConfig(config, LanguageExperiment, file), options);
  }
  if (kind === 'align' && model.kind === 'fusion') {
    return await openPairs(model, parseConfig(config, AlignExperiment, file).data.validation, options);
  }
  return undefined;
}

async function openRunImages(
  model: InspectedModel,
  { data }: VisionExperiment,
  { root, cacheDir, limit, note }: RunDataOptions,
): Promise<InspectionData> {
  const { imageSize } = visionOf(model).backbone;
  const config = data.validation ?? data.train;
  const dataset = await openImageDataset(config, {
    ...{ baseDir: root, cacheDir, imageSize, note },
    requirement: 'none',
    split: data.validation ? 'train' : 'validation',
  });
  const source = config.kind === 'coco' ? config.annotations : [config.path].flat().join(', ');
  return { images: imagesOf(dataset, source, limit), close: dataset.close };
}

async function openNamedImages(
  model: InspectedModel,
  { images, limit, cacheDir, note }: DataOptions,
): Promise<InspectionData> {
  const { backbone, preprocessing } = visionOf(model);
  const listed = listImageArguments(images, { note });
  const entries = listed.images.map(({ path, member, fileName: key }) => ({ path, member, key }));
  const dataset = await openImageList(spread(entries, limit), preprocessing, {
    ...{ imageSize: backbone.imageSize, cacheDir },
    // Whoever looks at a model wants to see the images that can be read.
    maxBrokenShare: 1,
  });
  const left = dataset.broken.length + listed.unusable.length;
  if (left > 0) note(`${left} images cannot be read and are left out`);
  return { images: imagesOf(dataset, images.join(', '), limit), close: dataset.close };
}

function imagesOf(dataset: Awaited<ReturnType<typeof openImageList>>, source: string, limit: number): InspectedImages {
  const chosen = spread([...dataset.paths.keys()], limit);
  return {
    source,
    count: chosen.length,
    nameOf: (index) => dataset.paths[chosen[index]],
    pixelValues: (indices) => dataset.batchOf(indices.map((index) => chosen[index])).pixelValues,
  };
}

/** At most `limit` of the entries, evenly spaced. */
function spread<T>(entries: readonly T[], limit: number): T[] {
  const count = Math.min(limit, entries.length);
  return Array.from({ length: count }, (_, i) => entries[Math.floor((i * entries.length) / count)]);
}

function openRunText(
  model: InspectedModel,
  { data, seed, training }: LanguageExperiment,
  { root, cacheDir, limit }: RunDataOptions,
): InspectionData {
  const dataset = openTextDataset(data, languageOf(model).tokenizer, { cacheDir, baseDir: root, seed });
  const { validation } = dataset;
  if (validation === undefined) throw new UserError('data: expected validationFiles or validationShare, got neither');
  const count = Math.min(limit, validation.size);
  return {
    texts: {
      source: (data.validationFiles ?? data.files).map(textSourceName).join(', '),
      count,
      batches: function* (batchSize) {
        let first = 0;
        for (const text of dataset.validationBatches(Math.min(batchSize, training.batchSize, count))) {
          if (first >= count) return;
          yield { first, text };
          first += text.batch;
        }
      },
    },
    close: dataset.dispose,
  };
}

/** Reads as many documents as the limit takes, each cut into texts that begin with the end-of-text token. */
function readNamedTexts(model: InspectedModel, { texts, limit }: DataOptions): InspectedTexts {
  const { tokenizer, config } = languageOf(model);
  const length = Math.min(config.seqLen, LONGEST_TEXT);
  const rows: Int32Array[] = [];
  for (const source of texts) {
    hashTextSource(source);
    readRows(source, tokenizer, length, limit, rows);
  }
  const source = texts.map(textSourceName).join(', ');
  if (rows.length === 0) throw new UserError(`${source}: expected text, got none`);
  return {
    source,
    count: rows.length,
    batches: function* (batchSize) {
      for (let first = 0; first < rows.length; first += batchSize) {
        const batch = rows.slice(first, first + batchSize);
        const width = Math.max(...batch.map((row) => row.length - 1));
        yield { first, text: textBatch(batch, width, tokenizer.endOfTextId) };
      }
    },
  };
}

function readRows(source: TextSource, tokenizer: Tokenizer, length: number, limit: number, rows: Int32Array[]): void {
  const end = tokenizer.endOfTextId;
  for (const document of readTextDocuments(source, { documents: 'file', field: 'text' })) {
    let ids: number[] = [];
    const cut = (): void => {
      // The last token of a row is only a label.
      if (ids.length > 0 && rows.length < limit) rows.push(Int32Array.of(end, ...ids.splice(0, length - 1), end));
    };
    for (const piece of document) {
      ids = ids.concat([...tokenizer.encode(piece)]);
      while (ids.length >= length - 1 && length > 1 && rows.length < limit) cut();
      if (rows.length >= limit) return;
    }
    cut();
  }
}

async function openPairs(
  model: InspectedModel,
  source: CaptionPairSource,
  { root, cacheDir, limit, note }: RunDataOptions,
): Promise<InspectionData> {
  if (model.joint === undefined) {
    throw new ConfigError(`--captions: expected a merged model, got a ${model.kind} model; give --images or --text`);
  }
  const { config, tokenizer } = model.joint;
  const { seqLen } = config.language.backbone;
  const places = { seqLen, cacheDir, root, maxPairs: limit, note };
  const pairs = await openCaptionPairs(source, config.vision, tokenizer, createTokenWeights([]), places);
  const name = captionSourceName(source.captions);
  return {
    images: {
      source: name,
      count: pairs.images.length,
      nameOf: (index) => pairs.images[index].fileName,
      pixelValues: pairs.pixelValues,
    },
    texts: {
      source: name,
      count: pairs.numPairs,
      batches: function* (batchSize) {
        let first = 0;
        for (const { text, images } of pairs.batches(batchSize)) {
          yield { first, text, images };
          first += text.batch;
        }
      },
    },
    close: () => pairs.close(),
  };
}

function visionOf({ vision, kind }: InspectedModel): NonNullable<InspectedModel['vision']> {
  if (vision === undefined) throw new ConfigError(`--images: has no effect on a ${kind} model, which reads no images`);
  return vision;
}

function languageOf({ language, kind }: InspectedModel): NonNullable<InspectedModel['language']> {
  if (language === undefined) throw new ConfigError(`--text: has no effect on a ${kind} model, which reads no text`);
  return language;
}
