import { z } from 'zod';
import { parseFile } from '#src/config';
import { UserError } from '#src/errors';
import { readJson, writeJsonAtomic } from '#src/storage';

/** One entry of a COCO results file; the names are the format's. */
export interface CaptionPrediction {
  readonly image_id: number;
  readonly caption: string;
}

const cocoResults = z.array(
  z.looseObject({ image_id: z.int('an integer'), caption: z.string('a string') }, 'an object'),
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
 * @throws UserError naming file, entry and field, for bad JSON, a missing or wrong field, an id that occurs twice or is
 *   unknown
 */
export function readPredictions(path: string, options: PredictionOptions = {}): ReadonlyMap<number, string> {
  return checkedPredictions(readJson(path, 'predictions'), path, options);
}

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
