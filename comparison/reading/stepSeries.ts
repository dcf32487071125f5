import { existsSync } from 'node:fs';
import { readBytes } from '#src/storage';
import { parseEntry, type StepEntry } from '#src/tracking';
import { type Note, orNote } from './readRunFile.js';

/** Larger files of metrics are not read. */
const MAX_BYTES = 2 ** 29;

/**
 * All entries of a file of step lines, in order; none where it is missing. Lines that are no entries are left out with one note;
 * a cut last line is one that is being written.
 */
export function stepEntries(path: string, note: Note): StepEntry[] {
  if (!existsSync(path)) return [];
  const bytes = orNote(note, () => readBytes(path, 'metrics', { maxBytes: MAX_BYTES }));
  return bytes === undefined ? [] : entriesOf(bytes, path, note);
}

function entriesOf(bytes: Buffer, path: string, note: Note): StepEntry[] {
  const lines = bytes.toString('utf8').split('\n');
  const entries: StepEntry[] = [];
  let [broken, first] = [0, 0];
  for (const [i, line] of lines.entries()) {
    const entry = parseEntry(line);
    if (entry !== undefined) entries.push(entry);
    else if (i < lines.length - 1 && broken++ === 0) first = i + 1;
  }
  if (broken > 0) {
    const others = broken > 1 ? ` with ${broken - 1} more lines` : '';
    note(`${path}:${first}: expected {"step": N, "tag": number, ...}; left out${others}`);
  }
  return entries;
}

/** A value at a step. */
export type SeriesPoint = readonly [step: number, value: number];

/** The values of each tag by step, in order. Where a step was logged again the later value counts. */
export function seriesByTag(entries: readonly StepEntry[]): Map<string, SeriesPoint[]> {
  const series = new Map<string, Map<number, number>>();
  for (const { step, values } of entries) {
    for (const [tag, value] of Object.entries(values)) {
      const points = series.get(tag) ?? new Map<number, number>();
      points.set(step, value);
      series.set(tag, points);
    }
  }
  return new Map([...series].map(([tag, points]) => [tag, [...points].sort(([a], [b]) => a - b)]));
}
