import { findRuns, type Note, runSummary } from '../reading/index.js';
import { type ListedRun, type RunFilters, runFilter, sortedRuns } from './chooseRuns.js';

export interface ListOptions extends RunFilters {
  /** One of `RUN_SORT_KEYS`. */
  readonly sort: string;
  readonly reverse: boolean;
}

/** The runs below folders that pass the filters, sorted. Nothing in any run changes. */
export function listRuns(folders: readonly string[], options: ListOptions, note: Note): ListedRun[] {
  const isChosen = runFilter(options);
  // Refuses a wrong key before the walk.
  sortedRuns([], options.sort, options.reverse);
  const runs = findRuns(folders, note).map((found) => ({ found, summary: runSummary(found, note) }));
  return sortedRuns(runs.filter(isChosen), options.sort, options.reverse);
}
