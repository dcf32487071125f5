import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createEventWriter, type Event, EventFileError, keepEventsUntil } from 'tensorboard-writer';
import { UserError } from '#src/errors';
import { flushFolder } from '#src/storage';
import { orDiskRefusal } from './diskRefusal.js';
import { hparamValues } from './hparamValues.js';
import type { Observation } from './observation.js';
import { keepStepLinesUntil, openStepLines, readStepLines, type StepEntry } from './stepLines.js';

export interface TrackerOptions {
  readonly runDir: string;
  /**
   * Resume the run in `runDir` from this step: entries of later steps are dropped and new ones appended. -1 drops all
   * entries, for a run that was killed before its first checkpoint. Default: start a new run.
   */
  readonly resumeStep?: number;
}

export interface Tracker {
  /**
   * Appends one line to metrics.jsonl and one event with the same tags, step and values. Values are rounded to float32, so
   * that both contain equal numbers. Pass only reproducible values: no times, no rates.
   *
   * @throws UserError when writing fails
   */
  log(step: number, values: Readonly<Record<string, number>>): void;
  /** Appends one line to timing.jsonl: times, rates and other values that differ between runs. */
  timing(step: number, values: Readonly<Record<string, number>>): void;
  /** Adds what is no number to the TensorBoard events of a step, and to nothing else. */
  show(step: number, observation: Observation): void;
  /**
   * The run's row in TensorBoard's HPARAMS table, a configuration flattened to its values: once for each tracker, since of a resumed
   * run it takes the place of the former. It names no metrics: runs of one folder have different ones.
   */
  hparams(config: object): void;
  /** A result of the whole run, as a scalar of the TensorBoard events alone. Its tags begin with `best/`. */
  result(step: number, values: Readonly<Record<`best/${string}`, number>>): void;
  /** Flushes everything to disk; call it before a checkpoint of the same step is published. */
  flush(): void;
  /** Flushes and closes the files; further calls do nothing. */
  close(): void;
}

/**
 * Opens the logs of a run: `metrics.jsonl` (deterministic), `timing.jsonl` (not deterministic), and a TensorBoard event file
 * under `events/`.
 *
 * A run that is killed and resumed from a checkpoint at step S produces the same bytes in metrics.jsonl as an uninterrupted
 * one, provided that it logs the same values from S + 1 on.
 *
 * @throws UserError when a new run would mix with an old one, when the logs to resume from are damaged, or when writing
 *   fails
 */
export function createTracker(options: TrackerOptions): Tracker {
  const { runDir, resumeStep } = options;
  const metricsPath = join(runDir, 'metrics.jsonl');
  const timingPath = join(runDir, 'timing.jsonl');
  const eventsDir = join(runDir, 'events');
  const eventFiles = listEventFiles(eventsDir);

  if (resumeStep === undefined) {
    if (existsSync(metricsPath) || existsSync(timingPath) || eventFiles.length > 0) {
      throw new UserError(
        `${runDir}: expected a new run directory, got one with an earlier run: resume it or choose another folder`,
      );
    }
  } else {
    keepStepLinesUntil(metricsPath, resumeStep);
    keepStepLinesUntil(timingPath, resumeStep);
    for (const file of eventFiles) onEventFile(file, () => keepEventsUntil(file, resumeStep, isOfOneStep));
  }

  const metrics = openStepLines(metricsPath);
  const timing = openStepLines(timingPath);
  const eventTarget = eventFiles.at(-1) ?? eventsDir;
  const events = onEventFile(eventTarget, () => createEventWriter(eventTarget, { suffix: 'tokenfuse' }));

  // What is flushed later must not be lost with the entry of its file.
  for (const folder of [runDir, eventsDir]) orDiskRefusal(folder, () => flushFolder(folder));

  const flush = (): void => {
    metrics.flush();
    timing.flush();
    onEventFile(events.path, events.flush);
  };
  let open = true;
  return {
    log: (step, values) => {
      const rounded = Object.fromEntries(Object.entries(values).map(([tag, value]) => [tag, toFloat32(value)]));
      metrics.append({ step, values: rounded });
      onEventFile(events.path, () => events.scalars(rounded, step));
    },
    timing: (step, values) => timing.append({ step, values }),
    show: (step, { histograms = {}, images = {}, texts = {} }) =>
      onEventFile(events.path, () => {
        for (const [tag, values] of Object.entries(histograms)) events.histogram(tag, values, step);
        for (const [tag, { png, ...size }] of Object.entries(images)) events.image(tag, png, size, step);
        for (const [tag, text] of Object.entries(texts)) events.text(tag, text, step);
      }),
    hparams: (config) => onEventFile(events.path, () => events.hparams(hparamValues(config))),
    result: (step, values) => onEventFile(events.path, () => events.scalars(values, step)),
    flush,
    close: () => {
      if (!open) return;
      open = false;
      flush();
      metrics.close();
      timing.close();
      onEventFile(events.path, events.close);
    },
  };
}

/** Events of the whole run are written anew when it goes on. */
function isOfOneStep({ values }: Event): boolean {
  return !values.some(({ kind, tag }) => kind === 'hparams' || tag.startsWith('best/'));
}

/**
 * Reads metrics.jsonl of a run, in logging order.
 *
 * @throws UserError when it is missing or damaged before its last line
 */
export function readMetrics(runDir: string): StepEntry[] {
  return readStepLines(join(runDir, 'metrics.jsonl'));
}

/** The event files of a run, oldest first, as their names begin with the time. */
export function listEventFiles(eventsDir: string): string[] {
  if (!existsSync(eventsDir)) return [];
  const names = readdirSync(eventsDir).filter((name) => name.includes('tfevents'));
  return names.sort().map((name) => join(eventsDir, name));
}

/** Float32 without a negative zero, which JSON writes as 0. */
function toFloat32(value: number): number {
  return Math.fround(value) + 0;
}

function onEventFile<T>(path: string, work: () => T): T {
  try {
    return orDiskRefusal(path, work);
  } catch (error) {
    if (!(error instanceof EventFileError)) throw error;
    throw new UserError(`${error.message}; move the file away to continue without it`);
  }
}
