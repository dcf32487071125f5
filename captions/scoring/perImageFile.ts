import type { CaptionPredictions } from '#captions/metrics';
import { ConfigError } from '#src/errors';
import { writeFileAtomic, writeJsonAtomic } from '#src/storage';
import type { ImageScores } from './scoreReport.js';

/** Rejects a file name with an unknown extension, before anything is computed. */
export function checkPerImagePath(path: string): void {
  if (/\.(?:csv|json)$/.test(path)) return;
  throw new ConfigError(`--per-image: expected a file name ending in .csv or .json, got '${path}'`);
}

/** Writes every image's caption and scores, as CSV with a header or as a JSON array. */
export function writePerImage(path: string, scores: readonly ImageScores[], predictions: CaptionPredictions): void {
  const rows = scores.map(({ imageId, ...rest }) => ({ imageId, caption: predictions.get(imageId) ?? '', ...rest }));
  if (path.endsWith('.json')) {
    writeJsonAtomic(path, rows);
    return;
  }
  const names = Object.keys(rows[0]);
  const lines = rows.map((row) => Object.values(row).map(csvField).join(','));
  writeFileAtomic(path, `${[names.join(','), ...lines].join('\n')}\n`);
}

/** Quoted as in RFC 4180. */
function csvField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
