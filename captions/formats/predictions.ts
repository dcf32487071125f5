import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { UserError } from '#src/errors';
import { fileStatus, folderNames, readJson, writeJsonAtomic } from '#src/storage';
import { ImageId } from './captionedImage.js';

/** One entry of a COCO results file; the names are the format's. */
export interface CaptionPrediction {
  readonly image_id: number;
  readonly caption: string;
}

const cocoResults = z.array(
  z.looseObject({ image_id: ImageId, caption: z.string('a string') }, 'an object'),
  'an array of captions',
);

export interface PredictionOptions {
  /** Allowed ids. Default: any. */
  readonly imageIds?: Iterable<number>;
}

/**
 * Writes captions in COCO results format, `[{"image_id": 1, "caption": "..."}]`, atomically.
 *
 * @throws UserError when an id occurs twice, is not an integer or is unknown, or the file cannot be written
 */
export function writePredictions(
  path: string,
  predictions: readonly CaptionPrediction[],
  options: PredictionOptions = {},
): void {
  checkedPredictions(predictions, path, options);
  writeJsonAtomic(
    path,
    predictions.map(({ image_id, caption }) => ({ image_id, caption })),
  );
}

/**
 * Image id to caption, from a COCO results file; other fields of an entry are ignored.
 *
 * @throws UserError naming file, entry and field, for bad JSON, no captions, a missing or wrong field, an id that occurs
 *   twice or is unknown
 */
export function readPredictions(path: string, options: PredictionOptions = {}): ReadonlyMap<number, string> {
  refuseOtherPredictions(path);
  const value = readJson(path, 'predictions');
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && 'images' in value) {
    throw new UserError(
      `${path}: expected an array of captions, one per image, got a captions file with images; give it as --references`,
    );
  }
  const captions = checkedPredictions(value, path, options);
  if (captions.size === 0) throw new UserError(`${path}: expected at least one caption, got an empty array`);
  return captions;
}

/**
 * Refuses a path that cannot be a predictions file (JSON lines, a folder) and names the files to take or make instead.
 *
 * @throws UserError
 */
export function refuseOtherPredictions(path: string): void {
  const expected = `${path}: expected a predictions file (COCO results, one JSON array), got`;
  if (/\.(?:jsonl|ndjson)$/i.test(path)) throw new UserError(`${expected} JSON lines; take the .json file beside it`);
  if (!fileStatus(path, 'predictions')?.isDirectory()) return;
  const found = predictionFiles(path);
  const more = found.length > MAX_NAMED ? ` and ${found.length - MAX_NAMED} more` : '';
  throw new UserError(
    found.length === 0
      ? `${expected} a folder without any; write one with tokenfuse caption ${path} <images> --out predictions.json`
      : `${expected} a folder; take one of its files: ${found.slice(0, MAX_NAMED).join(', ')}${more}`,
  );
}

/** `predictions/<set>/<row>.json` of a folder that evaluate wrote, and files of its own that are called so. */
function predictionFiles(folder: string): string[] {
  const inner = join(folder, 'predictions');
  const written = fileStatus(inner, 'predictions')?.isDirectory() ? readdirSync(inner, { recursive: true }) : [];
  return [
    ...folderNames(folder, 'predictions').filter((name) => /^predictions.*\.json$/.test(name)),
    ...written.map((name) => join('predictions', String(name))).filter((name) => name.endsWith('.json')),
  ].sort();
}

/** So many files of a folder are named. */
const MAX_NAMED = 5;

function checkedPredictions(value: unknown, path: string, { imageIds }: PredictionOptions): Map<number, string> {
  const known = imageIds === undefined ? undefined : new Set(imageIds);
  const firstEntry = new Map<number, number>();
  const captions = new Map<number, string>();
  for (const [entry, { image_id: imageId, caption }] of parseFile(cocoResults, value, path).entries()) {
    const earlier = firstEntry.get(imageId);
    if (earlier !== undefined) {
      throw new UserError(
        `${path}: [${entry}].image_id: expected one caption per image, got ${imageId} again after [${earlier}]`,
      );
    }
    if (known !== undefined && !known.has(imageId)) {
      throw new UserError(
        `${path}: [${entry}].image_id: expected the id of an image of the evaluated set, got ${imageId}`,
      );
    }
    firstEntry.set(imageId, entry);
    captions.set(imageId, caption);
  }
  return captions;
}
