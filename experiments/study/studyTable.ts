import type { EvaluationRow, LikelihoodScores } from '#fusion';
import { formatCount, formatMetric } from '#src/tracking';
import type { StudyScore } from './studyConfig.js';
import type { StudyRecord } from './studyRecord.js';

/** What one seed's captions scored. */
export type SeedScores = EvaluationRow & Partial<Pick<LikelihoodScores, 'relationChoice'>>;

/** A line of the study's table: a row at one number of pairs, or a control, over all seeds. */
export interface StudyLine {
  readonly name: string;
  readonly pairs: number | null;
  /** Parameters trained on pairs; null for controls. */
  readonly trained: number | null;
  /** By test set: what the row scored, one entry per seed. */
  readonly sets: ReadonlyMap<string, readonly SeedScores[]>;
}

/** A mean over seeds, with the lowest and the highest. */
export interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** The scores that a table shows, and how each is read from a row. */
export const STUDY_SCORES = {
  NLL: (row) => row.captionNll,
  'CIDEr-D': (row) => row.ciderD,
  'BLEU-4': (row) => row.bleu4,
  objects: (row) => row.attributes?.object ?? null,
  relation: (row) => row.attributes?.relation ?? null,
  'scene exact': (row) => row.attributes?.exactScene ?? null,
  'relation choice': (row) => row.relationChoice?.all.mean ?? null,
  'relation choice*': (row) => row.relationChoice?.disagree?.mean ?? null,
} as const satisfies Record<StudyScore, (row: SeedScores) => number | null>;

/**
 * One line per row and number of pairs, and after them the controls of the row that has them.
 *
 * @param records of finished cells, in the order of the study
 */
export function studyLines(records: readonly StudyRecord[]): StudyLine[] {
  const lines = new Map<string, { line: Omit<StudyLine, 'sets'>; sets: Map<string, SeedScores[]> }>();
  const add = (line: Omit<StudyLine, 'sets'>, set: string, row: SeedScores): void => {
    const key = JSON.stringify([line.name, line.pairs]);
    const entry = lines.get(key) ?? { line, sets: new Map<string, SeedScores[]>() };
    lines.set(key, entry);
    entry.sets.set(set, [...(entry.sets.get(set) ?? []), row]);
  };
  const controls: [string, string, EvaluationRow][] = [];
  const largest = Math.max(
    ...records.filter(({ settings }) => settings.controls).map(({ settings }) => settings.pairs ?? 0),
  );
  for (const { settings, trainableParameters, sets } of records) {
    const line = { name: settings.row.name, pairs: settings.pairs, trained: trainableParameters };
    for (const { name: set, rows, relationChoice } of sets) {
      add(line, set, { ...rows[0], ...(relationChoice && { relationChoice }) });
      if (!settings.controls || settings.pairs !== largest) continue;
      for (const row of rows.slice(1)) controls.push([row.name, set, row]);
    }
  }
  for (const [name, set, row] of controls) add({ name: `control: ${name}`, pairs: null, trained: null }, set, row);
  return [...lines.values()].map(({ line, sets }) => ({ ...line, sets }));
}

/** Mean, lowest and highest of a score over seeds; null where a seed has none. */
export function spreadOf(rows: readonly SeedScores[], score: StudyScore): Spread | null {
  const values = rows.map(STUDY_SCORES[score]);
  if (values.length === 0 || values.some((value) => value === null)) return null;
  const numbers = values as number[];
  return {
    mean: numbers.reduce((sum, value) => sum + value, 0) / numbers.length,
    low: Math.min(...numbers),
    high: Math.max(...numbers),
  };
}

/**
 * The lines as a Markdown table: each cell the mean over seeds, and in brackets the lowest and the highest.
 *
 * @param scores those that any line has are shown, for every test set
 */
export function studyMarkdown(lines: readonly StudyLine[], scores: readonly StudyScore[]): string {
  const sets = [...new Set(lines.flatMap((line) => [...line.sets.keys()]))];
  const columns = sets.flatMap((set) =>
    scores
      .filter((score) => lines.some((line) => spreadOf(line.sets.get(set) ?? [], score) !== null))
      .map((score) => ({ set, score })),
  );
  const show = (spread: Spread | null): string => {
    if (spread === null) return '–';
    const { mean, low, high } = spread;
    return low === high ? formatMetric(mean) : `${formatMetric(mean)} (${formatMetric(low)}–${formatMetric(high)})`;
  };
  const rows = lines.map((line) => [
    line.name,
    line.pairs === null ? '–' : formatCount(line.pairs),
    line.trained === null ? '–' : formatCount(line.trained),
    String(Math.max(...[...line.sets.values()].map((seeds) => seeds.length))),
    ...columns.map(({ set, score }) => show(spreadOf(line.sets.get(set) ?? [], score))),
  ]);
  const header = ['', 'pairs', 'trained', 'seeds', ...columns.map(({ set, score }) => `${score}, ${set}`)];
  const markdown = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [markdown(header), markdown(header.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(markdown), ''].join(
    '\n',
  );
}
