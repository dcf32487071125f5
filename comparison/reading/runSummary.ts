import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileStatus, lockState } from '#src/storage';
import { FAILURE, PROVENANCE, RUN_CONFIG } from '#src/training';
import type { FoundRun, RunKind } from './findRuns.js';
import { folderBytes } from './folderBytes.js';
import { lastLogged } from './lastLogged.js';
import { type JsonFields, type Note, numberField, objectField, orNote, readRunFile, textField } from './readRunFile.js';

export const RUN_STATES = ['running', 'finished', 'interrupted', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** What is known of a run without reading all of its metrics; null: not known, or does not apply. */
export interface RunSummary {
  readonly path: string;
  /** Of the experiment. */
  readonly name: string | null;
  readonly kind: RunKind;
  readonly state: RunState;
  /** Who is at work on it, or why its last attempt failed. */
  readonly note: string | null;
  /** The last one that was logged. */
  readonly step: number | null;
  /** How many there are to be. */
  readonly steps: number | null;
  /** The validation metric that selects checkpoints. */
  readonly metric: string | null;
  readonly best: number | null;
  readonly bestStep: number | null;
  readonly last: number | null;
  readonly lastStep: number | null;
  /** ISO 8601. */
  readonly started: string | null;
  readonly ended: string | null;
  /** Between the first and the last write, pauses included. */
  readonly seconds: number | null;
  readonly bytes: number | null;
  readonly seed: number | null;
  readonly engine: string | null;
  readonly device: string | null;
  readonly commit: string | null;
  readonly version: string | null;
}

const TRAINED: ReadonlySet<RunKind> = new Set(['vision', 'language', 'tune', 'align']);

/** Reads what says how a run stands: a few small files, and the end of its metrics. Nothing is written. */
export function runSummary(run: FoundRun, note: Note): RunSummary {
  const { path, kind, config } = run;
  const own = kind === 'cell' || kind === 'pipeline' || kind === 'study';
  const provenance = own ? ownProvenance(run, note) : fileOf(path, PROVENANCE, note);
  const engine = objectField(provenance, 'engine');
  const failure = fileOf(path, FAILURE, note);
  const lock = orNote(note, () => lockState(path));
  const progress = TRAINED.has(kind) ? progressOf(run, note) : undefined;
  const times = timesOf(path);
  const isFinished = progress?.isFinished ?? FINISHED[kind]?.some((name) => existsSync(join(path, name))) ?? false;
  const state = lock?.held ? 'running' : failure ? 'failed' : isFinished ? 'finished' : 'interrupted';
  const why = textField(failure, 'message')?.split('\n')[0];
  return {
    path,
    name: textField(config, 'name') ?? null,
    kind,
    state,
    note: lock?.held ? `${lock.holder} since ${lock.since}` : state === 'failed' ? (why ?? null) : null,
    ...(progress?.figures ?? NO_FIGURES),
    ...times,
    bytes: own ? null : folderBytes(path),
    seed: numberField(config, 'seed') ?? numberField(provenance, 'seed') ?? null,
    engine: textField(engine, 'name') ?? null,
    device: textField(engine, 'device') ?? null,
    commit: textField(provenance, 'commit') ?? null,
    version: textField(provenance, 'version') ?? null,
  };
}

/** The file that is written last, of what is not trained. */
const FINISHED: Readonly<Partial<Record<RunKind, readonly string[]>>> = {
  evaluate: ['evaluation.json'],
  cell: ['record.json'],
  pipeline: ['summary.json'],
  study: ['results.md'],
};

type Figures = Pick<RunSummary, 'step' | 'steps' | 'metric' | 'best' | 'bestStep' | 'last' | 'lastStep'>;

const NO_FIGURES: Figures = {
  step: null,
  steps: null,
  metric: null,
  best: null,
  bestStep: null,
  last: null,
  lastStep: null,
};

function progressOf({ path, kind, config }: FoundRun, note: Note): { figures: Figures; isFinished: boolean } {
  const metric = kind === 'align' ? `validation/${textField(config, 'selectBy') ?? 'captionNll'}` : 'validation/loss';
  const training = objectField(config, 'training');
  const steps = numberField(training, 'steps');
  const state = checkpointState(path, note);
  const metrics = join(path, 'metrics.jsonl');
  const logged = existsSync(metrics) ? orNote(note, () => lastLogged(metrics, metric)) : undefined;
  const saved = numberField(state, 'step');
  const bestStep = numberField(state, 'bestStep');
  const patience = numberField(training, 'patience') ?? Number.POSITIVE_INFINITY;
  const sinceBest = ((saved ?? 0) - (bestStep ?? saved ?? 0)) / (numberField(training, 'evaluateEvery') ?? 1);
  return {
    figures: {
      step: logged?.last?.step ?? saved ?? null,
      steps: steps ?? null,
      metric,
      best: numberField(state, 'bestValue') ?? null,
      bestStep: bestStep ?? null,
      last: logged?.withTag?.values[metric] ?? null,
      lastStep: logged?.withTag?.step ?? null,
    },
    isFinished: saved !== undefined && (saved >= (steps ?? Number.POSITIVE_INFINITY) || sinceBest >= patience),
  };
}

/** The training state of the last checkpoint; undefined where there is none yet. */
function checkpointState(path: string, note: Note): JsonFields | undefined {
  const pointer = fileOf(join(path, 'checkpoints'), 'last.json', note);
  const directory = textField(pointer, 'directory');
  if (directory === undefined) return undefined;
  if (!/^step-\d+$/.test(directory)) {
    note(`${join(path, 'checkpoints', 'last.json')}: expected the name of a folder beside it`);
    return undefined;
  }
  return fileOf(join(path, 'checkpoints', directory), 'state.json', note);
}

function fileOf(folder: string, name: string, note: Note): JsonFields | undefined {
  const path = join(folder, name);
  return existsSync(path) ? readRunFile(path, note) : undefined;
}

/** Of a cell's record; pipelines and studies have none of their own. */
function ownProvenance({ path, kind }: FoundRun, note: Note): JsonFields | undefined {
  return kind === 'cell' ? objectField(fileOf(path, 'record.json', note), 'provenance') : undefined;
}

const OPENING_FILES = [PROVENANCE, RUN_CONFIG];
const CLOSING_FILES = [
  ...['metrics.jsonl', join('checkpoints', 'last.json'), 'evaluation.json', FAILURE],
  ...['summary.json', 'record.json', 'results.md'],
];

function timesOf(path: string): Pick<RunSummary, 'started' | 'ended' | 'seconds'> {
  const timeOf = (name: string): number[] => {
    const status = orNote(
      () => undefined,
      () => fileStatus(join(path, name), 'run'),
    );
    return status === undefined ? [] : [status.mtimeMs];
  };
  const [opened, closed] = [OPENING_FILES, CLOSING_FILES].map((names) => names.flatMap(timeOf));
  const iso = (times: readonly number[], at: number): string | null =>
    times.length === 0 ? null : new Date(at).toISOString();
  const [start, end] = [Math.min(...opened), Math.max(...closed)];
  return {
    started: iso(opened, start),
    ended: iso(closed, end),
    seconds: opened.length > 0 && closed.length > 0 ? Math.max(0, end - start) / 1000 : null,
  };
}
