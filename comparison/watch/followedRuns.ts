import { join } from 'node:path';
import type { ComparedRun, RunGroup } from '../compare/index.js';
import { type FoundRun, findRuns, orNote, type RunSummary, runSummary, seriesByTag } from '../reading/index.js';
import { type FollowedLines, followLines } from './followedLines.js';

/** Runs below a folder, as they go on. */
export interface FollowedRuns {
  /** Reads what has come since the last call. @returns whether anything is other than it was */
  poll(): boolean;
  /** By kind, those that were written last. */
  groups(): readonly RunGroup[];
  /** Files that cannot be read, a line each. */
  problems(): readonly string[];
}

/** So many are shown, those that were written last. */
const MOST_RUNS = 12;

interface Followed {
  readonly metrics: FollowedLines;
  readonly timing: FollowedLines;
}

/** Follows a run, or all that train below a folder, such as the stages of a pipeline. */
export function followRuns(folder: string): FollowedRuns {
  const files = new Map<string, Followed>();
  let runs: { readonly found: FoundRun; readonly summary: RunSummary }[] = [];
  let notes: string[] = [];
  let seen = '';
  return {
    problems: () => notes,
    poll: () => {
      const problems = new Set<string>();
      const note = (line: string): void => void problems.add(line);
      runs = (orNote(note, () => findRuns([folder], note)) ?? [])
        .filter(({ kind }) => ['vision', 'language', 'tune', 'align', 'unknown'].includes(kind))
        .map((found) => ({ found, summary: runSummary(found, note) }))
        .sort((a, b) => ((a.summary.ended ?? '') > (b.summary.ended ?? '') ? -1 : 1))
        .slice(0, MOST_RUNS)
        .sort((a, b) => (a.found.path < b.found.path ? -1 : 1));
      let changed = false;
      for (const { found } of runs) {
        const of = files.get(found.path) ?? {
          metrics: followLines(join(found.path, 'metrics.jsonl')),
          timing: followLines(join(found.path, 'timing.jsonl')),
        };
        files.set(found.path, of);
        for (const each of [of.metrics, of.timing]) changed = (orNote(note, () => each.poll()) ?? false) || changed;
      }
      notes = [...problems];
      // Sizes and times alone are no news.
      const now = JSON.stringify([
        notes,
        runs.map(({ summary: { path, state, note: why, step } }) => [path, state, why, step]),
      ]);
      changed ||= now !== seen;
      seen = now;
      return changed;
    },
    groups: () => {
      const kinds = [...new Set(runs.map(({ found }) => found.kind))];
      return kinds.map((kind) => ({
        kind,
        runs: runs
          .filter(({ found }) => found.kind === kind)
          .map(({ found, summary }) => comparedRun(found, summary, files)),
      }));
    },
  };
}

function comparedRun(found: FoundRun, summary: RunSummary, files: ReadonlyMap<string, Followed>): ComparedRun {
  const followed = files.get(found.path);
  return {
    ...{ letter: '', label: summary.name ?? found.path, found, summary },
    series: seriesByTag(followed?.metrics.entries() ?? []),
    timing: followed?.timing.entries() ?? [],
    sets: [],
  };
}
