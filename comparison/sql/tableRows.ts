import { join } from 'node:path';
import { configValues } from '#src/config';
import type { StepEntry } from '#src/tracking';
import {
  type FoundRun,
  findRuns,
  type Note,
  type RunSummary,
  runScores,
  runSummary,
  stepEntries,
} from '../reading/index.js';
import type { SqlValue, TableRows } from './queryData.js';
import { TABLES, type TableName } from './schema.js';

/** The rows of some tables, of all runs below folders. @throws UserError when a given folder is missing */
export function tableRows(names: readonly TableName[], folders: readonly string[], note: Note): TableRows[] {
  const values = new Map<TableName, SqlValue[]>(names.map((name) => [name, []]));
  for (const run of findRuns(folders, note)) {
    for (const [name, list] of values) for (const value of ROWS[name](run, note)) list.push(value);
  }
  return TABLES.flatMap(({ name, columns }) => {
    const list = values.get(name);
    return list === undefined ? [] : [{ name, numColumns: columns.length, values: list }];
  });
}

/** The rows of a run in each table, one after the other, in the order of the columns. */
const ROWS: Readonly<Record<TableName, (run: FoundRun, note: Note) => SqlValue[]>> = {
  runs: (run, note) => runRow(runSummary(run, note)),
  metrics: ({ path }, note) => stepRows(path, stepEntries(join(path, 'metrics.jsonl'), note)),
  timing: ({ path }, note) => stepRows(path, stepEntries(join(path, 'timing.jsonl'), note)),
  config: ({ path, config }) =>
    [...configValues(config ?? {})].flatMap(([key, value]) => [
      path,
      key,
      typeof value === 'boolean' ? Number(value) : value,
    ]),
  scores: ({ path, kind }, note) =>
    (kind === 'evaluate' ? runScores(path, note) : []).flatMap((set) =>
      set.rows.flatMap((row) =>
        row.scores.flatMap(({ name, value, low, high }) => [path, set.name, row.name, name, value, low, high]),
      ),
    ),
};

function runRow(summary: RunSummary): SqlValue[] {
  return [
    ...[summary.path, summary.name, summary.kind, summary.state, summary.note],
    ...[summary.step, summary.steps, summary.metric, summary.best, summary.bestStep, summary.last, summary.lastStep],
    ...[summary.started, summary.ended, summary.seconds, summary.bytes, summary.seed],
    ...[summary.engine, summary.device, summary.commit, summary.version],
  ];
}

function stepRows(path: string, entries: readonly StepEntry[]): SqlValue[] {
  return entries.flatMap(({ step, values }) =>
    Object.entries(values).flatMap(([tag, value]) => [path, step, tag, Number.isNaN(value) ? null : value]),
  );
}
