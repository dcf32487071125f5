import { formatCount } from '#src/tracking';
import type { SweepExperiment } from '../config/sweepConfig.js';
import { markdownTable, spreadText } from './spread.js';
import { sweepLines } from './sweepLines.js';
import type { SweepRecord } from './sweepStudy.js';

/** The table of a sweep, in Markdown: a line for each row and point, a column for each key and score. */
export function sweepTable(sweep: SweepExperiment, records: readonly SweepRecord[]): string {
  const lines = sweepLines(sweep, records);
  const keys = [...new Set(lines.flatMap(({ point }) => Object.keys(point)))];
  const scores = sweep.scores.map(({ name }) => name);
  const rows = lines.map((line) => [
    line.row,
    ...keys.map((key) => String(line.point[key] ?? '–')),
    String(line.seeds),
    ...scores.map((name) => spreadText(line.score(name), scoreText)),
  ]);
  return `${markdownTable(['', ...keys, 'seeds', ...scores], rows)}\n`;
}

/** Four digits of a score, all of a count, three of a number of operations: 1.234, 92,160, 5.44e11. */
function scoreText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-3)) return value.toExponential(2).replace('+', '');
  return size >= 1000 ? formatCount(value) : value.toPrecision(4);
}
