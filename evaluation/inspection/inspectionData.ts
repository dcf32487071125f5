import { dirname, join, resolve } from 'node:path';
import type { CaptionSource } from '#captions/formats';
import { AlignExperiment } from '#fusion';
import { LanguageExperiment, type TextBatch, type TextSource } from '#language';
import { parseConfig } from '#src/config';
import { RunError, UserError } from '#src/errors';
import { readJson } from '#src/storage';
import { RUN_CONFIG, runOf } from '#src/training';
import { VisionExperiment } from '#vision';
import { openNamedImages, openRunImages } from './imageData.js';
import type { InspectedModel } from './inspectedModel.js';
import { openPairs } from './pairData.js';
import { openRunText, readNamedTexts } from './textData.js';

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

/** For the data of a run, whose paths start at `root`. */
export type RunDataOptions = DataOptions & { readonly root: string };

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
      if (!(error instanceof UserError) || error instanceof RunError) throw error;
      problems.push(error.message);
    }
  }
  const remedy = 'give --root, where the paths of its experiment start, data of your own, or --no-data';
  throw new UserError(`validation data of ${run}: ${problems[0]}; ${remedy}`);
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
