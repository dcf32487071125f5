import { ROWS, TRAINING_ROWS } from '#evaluation';
import { formatCount } from '#src/tracking';
import type { StudyScore } from '../config/studyConfig.js';
import type { StudyRecord, StudyScores } from './fusionRecord.js';
import { markdownTable, type Spread, spreadOf, spreadText } from './spread.js';

/** A line of the study's table: a row at one number of pairs, or a control, over all seeds. */
export interface StudyLine {
  readonly name: string;
  readonly pairs: number | null;
  /** Parameters trained on pairs; null for controls. */
  readonly trained: number | null;
  /** By test set: what the row scored, one entry per seed. */
  readonly sets: ReadonlyMap<string, readonly StudyScores[]>;
}

/**
 * One line per row and number of pairs, and after them the controls of the row that has them: those that come from the training
 * captions at every number of pairs, the others at the largest.
 *
 * @param records of finished cells, in the order of the study
 */
export function studyLines(records: readonly StudyRecord[]): StudyLine[] {
  const lines = new Map<string, { line: Omit<StudyLine, 'sets'>; sets: Map<string, StudyScores[]> }>();
  const add = (line: Omit<StudyLine, 'sets'>, set: string, scores: StudyScores): void => {
    const key = JSON.stringify([line.name, line.pairs]);
    const entry = lines.get(key) ?? { line, sets: new Map<string, StudyScores[]>() };
    lines.set(key, entry);
    entry.sets.set(set, [...(entry.sets.get(set) ?? []), scores]);
  };
  const controls: [Pick<StudyLine, 'name' | 'pairs'>, string, StudyScores][] = [];
  const largest = Math.max(
    ...records.filter(({ settings }) => settings.controls).map(({ settings }) => settings.pairs ?? 0),
  );
  for (const { settings, trainableParameters, sets } of records) {
    const line = { name: settings.row.name, pairs: settings.pairs, trained: trainableParameters };
    for (const { name: set, rows } of sets) {
      add(line, set, rows[0].scores);
      if (!settings.controls) continue;
      for (const { name: control, scores } of rows.slice(1)) {
        const ofPairs = TRAINING_ROWS.includes(control);
        if (ofPairs || settings.pairs === largest)
          controls.push([{ name: `control: ${control}`, pairs: ofPairs ? settings.pairs : null }, set, scores]);
      }
    }
  }
  const order = Object.values(ROWS).map(({ name }) => `control: ${name}`);
  for (const [line, set, scores] of controls.toSorted(([a], [b]) => order.indexOf(a.name) - order.indexOf(b.name)))
    add({ ...line, trained: null }, set, scores);
  return [...lines.values()].map(({ line, sets }) => ({ ...line, sets }));
}

/** A score over seeds; null where a seed has none. */
export function scoreSpread(seeds: readonly StudyScores[], score: StudyScore): Spread | null {
  return spreadOf(seeds.map((scores) => scores[score] ?? null));
}

/**
 * The lines as Markdown, a table for each test set: each cell the mean over seeds, and in brackets the lowest and the highest.
 *
 * @param scores those that any line has are shown
 */
export function studyMarkdown(lines: readonly StudyLine[], scores: readonly StudyScore[]): string {
  const sets = [...new Set(lines.flatMap((line) => [...line.sets.keys()]))];
  return sets.map((set) => `**${set}**\n\n${setTable(lines, set, scores)}\n`).join('\n');
}

function setTable(lines: readonly StudyLine[], set: string, scores: readonly StudyScore[]): string {
  const seedsOf = (line: StudyLine): readonly StudyScores[] => line.sets.get(set) ?? [];
  const columns = scores.filter((score) => lines.some((line) => scoreSpread(seedsOf(line), score) !== null));
  const rows = lines.map((line) => [
    line.name,
    line.pairs === null ? '–' : formatCount(line.pairs),
    line.trained === null ? '–' : formatCount(line.trained),
    String(seedsOf(line).length),
    ...columns.map((score) => spreadText(scoreSpread(seedsOf(line), score))),
  ]);
  return markdownTable(['', 'pairs', 'trained', 'seeds', ...columns], rows);
}
