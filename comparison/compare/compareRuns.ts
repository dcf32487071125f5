import type { Note } from '../reading/index.js';
import { openRuns, type RunGroup } from './comparedRuns.js';
import { type SharedSet, sharedSets } from './sharedSets.js';

/** Runs side by side. */
export interface RunComparison {
  readonly groups: readonly RunGroup[];
  /** Test sets that several of the evaluations captioned. */
  readonly sets: readonly SharedSet[];
}

/**
 * Reads runs and compares them, each kind by itself. Nothing in any run changes.
 *
 * @param samples resamples of the images, for the paired bootstrap between evaluations
 * @throws ConfigError for fewer than two runs, or too many
 */
export function compareRuns(paths: readonly string[], samples: number, note: Note): RunComparison {
  const groups = openRuns(paths, note);
  return { groups, sets: groups.flatMap((group) => sharedSets(group, samples, note)) };
}
