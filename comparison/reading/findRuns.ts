import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '#src/errors';
import { fileStatus, LOCK_NAME, systemErrorWords } from '#src/storage';
import { PROVENANCE, RUN_CONFIG } from '#src/training';
import { type JsonFields, type Note, readRunFile, textField } from './readRunFile.js';

/** Experiments whose folders hold a run. */
const EXPERIMENT_KINDS = ['vision', 'language', 'tune', 'align', 'evaluate'] as const;
/** What is found: experiments; what runs several of them; `unknown`: a run whose configuration cannot be read. */
export const RUN_KINDS = [...EXPERIMENT_KINDS, 'pipeline', 'study', 'cell', 'unknown'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/** A folder that holds a run, an evaluation, a pipeline, a study or a cell of one. */
export interface FoundRun {
  /** As it can be given to a command. */
  readonly path: string;
  readonly kind: RunKind;
  /** What it was started with; undefined for what has none, or one that cannot be read. */
  readonly config: JsonFields | undefined;
}

/** Far more than there are: a walk that gets there has gone astray. */
const MAX_FOLDERS = 100_000;
const MAX_DEPTH = 16;

/** Files by which a run is known whose configuration cannot be read. */
const RUN_FILES = [PROVENANCE, 'metrics.jsonl', 'evaluation.json'];

/** Folders in which no run is looked for; hidden ones neither. */
const PASSED_OVER: ReadonlySet<string> = new Set(['cache', 'node_modules']);

/**
 * The runs in folders and wherever below them, in the order of their paths. Links to folders are not followed, except those that
 * are given.
 *
 * @throws UserError when a given folder is missing or is no folder
 */
export function findRuns(folders: readonly string[], note: Note): FoundRun[] {
  const found = new Map<string, FoundRun>();
  let numFolders = 0;
  const visit = (path: string, depth: number): void => {
    if (++numFolders > MAX_FOLDERS) return;
    const entries = entriesOf(path, note);
    const names = new Set(entries.map(({ name }) => name));
    const run = runIn(path, names, note);
    if (run !== undefined) found.set(run.path, run);
    if (run !== undefined && !['pipeline', 'study', 'cell'].includes(run.kind)) return;
    // Data and models hold no runs.
    if (names.has('dataset.json') || names.has('model.json') || depth >= MAX_DEPTH) return;
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.startsWith('.') || PASSED_OVER.has(entry.name)) continue;
      visit(join(path, entry.name), depth + 1);
    }
  };
  for (const folder of folders) {
    if (fileStatus(folder, 'runs')?.isDirectory() !== true) {
      throw new UserError(
        `${folder}: expected a folder with runs, got ${fileStatus(folder, 'runs') ? 'a file' : 'nothing'}`,
      );
    }
    visit(folder, 0);
  }
  if (numFolders > MAX_FOLDERS) note(`more than ${MAX_FOLDERS} folders: runs in the others are not listed`);
  return [...found.values()];
}

function entriesOf(path: string, note: Note): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    note(`${path}: ${systemErrorWords(error)}`);
    return [];
  }
}

function runIn(path: string, names: ReadonlySet<string>, note: Note): FoundRun | undefined {
  if (names.has(RUN_CONFIG)) {
    const isRun = RUN_FILES.some((name) => names.has(name));
    // Many programs call a file config.json: one that cannot be read is only worth a note where a run is.
    const config = readRunFile(join(path, RUN_CONFIG), isRun ? note : () => undefined);
    const kind = EXPERIMENT_KINDS.find((each) => each === textField(config, 'kind'));
    if (kind !== undefined) return { path, kind, config };
    if (isRun) return { path, kind: 'unknown', config };
  } else if (RUN_FILES.some((name) => names.has(name))) return { path, kind: 'unknown', config: undefined };
  if (names.has('record.json')) return { path, kind: 'cell', config: undefined };
  if (names.has('summary.json') && names.has('report.html')) return { path, kind: 'pipeline', config: undefined };
  if (names.has('results.md') && names.has('cache')) return { path, kind: 'study', config: undefined };
  // At work, or killed before its first result.
  if (names.has(LOCK_NAME)) {
    const isStudy = names.has('stages') || [...names].some((name) => /^seed-\d+$/.test(name));
    return { path, kind: isStudy ? 'study' : 'pipeline', config: undefined };
  }
  return undefined;
}
