import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { storedConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import { isTemporaryName, type OutputOptions, openOutputFolder, readJson, writeFileAtomic } from '#src/storage';
import { removeFailureNote, writeFailureNote } from './failure.js';
import { hasSameInputs, inputsOf, PROVENANCE, type Provenance, RUN_CONFIG, writeProvenance } from './provenance.js';

/** What may be done with a run that is there already. */
export interface RunDirectoryOptions {
  /** Continue it from its last checkpoint. */
  readonly resume: boolean;
  /** With `resume`: more steps or more patience than it was started with are taken. */
  readonly extend?: boolean;
  /** Move what is there aside and start anew. */
  readonly overwrite?: boolean;
  /** Of the configuration: a run that an earlier version started may have it under former names. */
  readonly schema?: z.ZodType;
  /** Receives lines about what was moved or extended. */
  readonly say?: (line: string) => void;
}

/** Files that are there before there is any result. */
const OPENING_FILES = [PROVENANCE, RUN_CONFIG];

/**
 * Runs `work` in a run directory that no other process writes to meanwhile: a new one, or one that is continued with the
 * configuration it was started with, since another would not continue the same run.
 *
 * @throws ConfigError when the directory is taken, or when it cannot be continued; RunError when another process writes to it
 */
export function inRunDirectory<T>(
  runDir: string,
  provenance: Provenance,
  options: RunDirectoryOptions,
  work: () => Promise<T>,
): Promise<T> {
  let undo = (): void => {};
  const isOwn = (): boolean =>
    continuesRun(runDir, provenance, options, () => {
      undo = rememberExtension(runDir);
    });
  return inResultFolder(runDir, provenance, { ...options, isOwn }, async () => {
    try {
      return await work();
    } catch (error) {
      undo();
      throw error;
    }
  });
}

/** What takes an extension back, before it is written down; it does so only where the run has not gone on meanwhile. */
function rememberExtension(runDir: string): () => void {
  const last = join(runDir, 'checkpoints', 'last.json');
  const textOf = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  const pointer = textOf(last);
  const before = OPENING_FILES.map((name) => join(runDir, name)).map((path) => ({ path, text: textOf(path) }));
  return () => {
    if (textOf(last) !== pointer) return;
    for (const { path, text } of before) if (text !== undefined) writeFileAtomic(path, text);
  };
}

/**
 * Runs `work` in a folder that gets config.json and provenance.json and is locked meanwhile. A new one is removed when the work
 * fails before it has a result, such as on missing data.
 */
export async function inResultFolder<T>(
  folder: string,
  provenance: Provenance,
  options: OutputOptions,
  work: () => Promise<T>,
): Promise<T> {
  const isOwn = (): boolean => isBarelyOpened(folder) || (options.isOwn?.() ?? false);
  const place = openOutputFolder(folder, { ...options, isOwn });
  try {
    const isOpened = OPENING_FILES.every((name) => existsSync(join(folder, name)));
    if (!place.continues || !isOpened) writeProvenance(folder, provenance);
    removeFailureNote(folder);
    return await work();
  } catch (error) {
    if (!place.continues && finishedNames(folder).every((name) => OPENING_FILES.includes(name))) {
      for (const name of OPENING_FILES) rmSync(join(folder, name), { force: true });
      place.release();
      if (readdirSync(folder).length === 0) rmdirSync(folder);
    } else writeFailureNote(folder, error);
    throw error;
  } finally {
    place.release();
  }
}

/** Whether a kill left the folder before its configuration was written. */
function isBarelyOpened(folder: string): boolean {
  return finishedNames(folder).every((name) => name === PROVENANCE);
}

/** What is in a folder, without locks, other hidden files, and what a kill left unfinished. */
function finishedNames(folder: string): string[] {
  return readdirSync(folder).filter((name) => !name.startsWith('.') && !isTemporaryName(name));
}

/**
 * Whether the folder holds a run that goes on; a longer one is written down.
 *
 * @param beforeExtension called before that
 * @throws ConfigError when it must not
 */
function continuesRun(
  runDir: string,
  provenance: Provenance,
  options: RunDirectoryOptions,
  beforeExtension: () => void,
): boolean {
  const config = JSON.parse(JSON.stringify(provenance.config));
  if (!existsSync(join(runDir, RUN_CONFIG))) return false;
  const { resume, extend = false, schema, say } = options;
  if (!resume) {
    throw new ConfigError(
      `${runDir}: holds a run already; give --resume to continue it, --overwrite to move it aside and start anew, or another --out`,
    );
  }
  if (!hasSameInputs(inputsOf(runDir), provenance.inputs)) {
    throw new ConfigError(
      `${runDir}: was started from another model than is there now; give --overwrite to move the run aside and start anew`,
    );
  }
  const stored = readJson(join(runDir, RUN_CONFIG), 'run configuration');
  const changed = changes(schema ? storedConfig(stored, schema) : stored, config);
  if (changed.length === 0) return true;
  const named = changed.map(({ text }) => text);
  if (extend && changed.every(isLengthening)) {
    beforeExtension();
    writeProvenance(runDir, provenance, { command: provenance.command, changes: named });
    say?.(
      `extended: ${named.join(', ')}. The learning rate follows the longer schedule from here on, so the result differs from that of a run that was started so`,
    );
    return true;
  }
  const hint = changed.every(isLengthening)
    ? 'give --extend to lengthen the run'
    : 'repeat the --set options it was started with, or give --overwrite to move the run aside and start anew';
  throw new ConfigError(`${runDir}: cannot resume with another configuration (${listed(named)}); ${hint}`);
}

/** The run directory of a model: the path itself, or where a checkpoint folder lies in; undefined for one without a run. */
export function runOf(path: string): string | undefined {
  const isRun = (folder: string): boolean => existsSync(join(folder, RUN_CONFIG));
  if (isRun(path)) return path;
  const above = dirname(resolve(path));
  return basename(above) === 'checkpoints' && isRun(dirname(above)) ? dirname(above) : undefined;
}

/** Whether a folder was started with this configuration. */
export function isStartedWith(folder: string, config: unknown, schema: z.ZodType): boolean {
  const path = join(folder, RUN_CONFIG);
  if (!existsSync(path)) return false;
  const before = storedConfig(readJson(path, 'configuration'), schema);
  return changes(before, JSON.parse(JSON.stringify(config))).length === 0;
}

/** At most so many changes are named. */
const MAX_CHANGES = 3;

function listed(changed: readonly string[]): string {
  if (changed.length <= MAX_CHANGES) return changed.join(', ');
  return `${changed.slice(0, MAX_CHANGES).join(', ')}, ${changed.length - MAX_CHANGES} more`;
}

interface Change {
  readonly key: string;
  /** The value as JSON, undefined where the key is not set. */
  readonly before: string | undefined;
  readonly now: string | undefined;
  /** `training.steps 1000, now 100` */
  readonly text: string;
}

/** Whether a change only lets a run go on longer. */
function isLengthening({ key, before, now }: Change): boolean {
  if (key === 'training.steps') return Number(now) > Number(before);
  return key === 'training.patience' && (now === undefined || Number(now) > Number(before));
}

/** What differs between two configurations. */
function changes(before: unknown, now: unknown): Change[] {
  const [a, b] = [new Map(leaves(before, '')), new Map(leaves(now, ''))];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => {
      const [old, fresh] = [a.get(key), b.get(key)];
      return { key, before: old, now: fresh, text: `${key} ${old ?? 'not set'}, now ${fresh ?? 'not set'}` };
    });
}

/** Every value of a configuration as JSON, by its path. */
function leaves(value: unknown, path: string): [string, string][] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
    return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, entry]) => leaves(entry, path === '' ? key : `${path}.${key}`));
}
