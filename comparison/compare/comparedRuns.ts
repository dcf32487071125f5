import { join } from 'node:path';
import { ConfigError } from '#src/errors';
import type { StepEntry } from '#src/tracking';
import {
  type FoundRun,
  findRuns,
  type Note,
  type RunKind,
  type RunSummary,
  runScores,
  runSummary,
  type ScoredSet,
  type SeriesPoint,
  seriesByTag,
  stepEntries,
} from '../reading/index.js';

/** A run with all that a comparison shows of it. */
export interface ComparedRun {
  /** `a`, `b`, … within its group: short enough for the head of a column. */
  readonly letter: string;
  /** The end of its path by which it differs from the others. */
  readonly label: string;
  readonly found: FoundRun;
  readonly summary: RunSummary;
  /** Values by step of each tag of metrics.jsonl. */
  readonly series: ReadonlyMap<string, readonly SeriesPoint[]>;
  readonly timing: readonly StepEntry[];
  /** Of an evaluation. */
  readonly sets: readonly ScoredSet[];
}

/** Runs of one kind: their configurations have the same keys. */
export interface RunGroup {
  readonly kind: RunKind;
  readonly runs: readonly ComparedRun[];
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * Reads runs to compare, by kind: each path a run, or a folder such as a pipeline's, which stands for all runs below it.
 *
 * @throws ConfigError for fewer than two runs, or more than a comparison can show
 */
export function openRuns(paths: readonly string[], note: Note): RunGroup[] {
  const found = findRuns(paths, note).filter(({ kind }) => !['pipeline', 'study', 'cell'].includes(kind));
  if (found.length < 2) {
    throw new ConfigError(`runs compare: expected at least two runs, found ${found.length} in ${paths.join(', ')}`);
  }
  if (found.length > LETTERS.length) {
    throw new ConfigError(
      `runs compare: expected at most ${LETTERS.length} runs, found ${found.length}; name those to compare`,
    );
  }
  const labels = shortLabels(found.map(({ path }) => path));
  const kinds = [...new Set(found.map(({ kind }) => kind))];
  const runs = found.map((run, i): ComparedRun => {
    const { path, kind } = run;
    const place = found.slice(0, i).filter((other) => other.kind === kind).length;
    return {
      letter: LETTERS[place],
      label: labels[i],
      found: run,
      summary: runSummary(run, note),
      series: seriesByTag(stepEntries(join(path, 'metrics.jsonl'), note)),
      timing: stepEntries(join(path, 'timing.jsonl'), note),
      sets: kind === 'evaluate' ? runScores(path, note) : [],
    };
  });
  return kinds.map((kind) => ({ kind, runs: runs.filter(({ found: run }) => run.kind === kind) }));
}

/** Paths without the folders that they all begin with. */
function shortLabels(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(/[/\\]/));
  const shortest = Math.min(...parts.map(({ length }) => length));
  let common = 0;
  while (common < shortest - 1 && parts.every((each) => each[common] === parts[0][common])) common++;
  return parts.map((each) => each.slice(common).join('/'));
}
