import { existsSync, lstatSync, readdirSync, realpathSync, renameSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { ConfigError, RunError, UserError } from '#src/errors';
import { flushFolder } from './flush.js';
import { LOCK, type Lock, takeLock } from './lock.js';
import { clearLeftovers, clearLeftoversOf, isTemporaryName } from './temporaryName.js';
import { writeFailure } from './writeFailure.js';

/** What happens to content that a command cannot go on with. */
export interface OverwriteOptions {
  /** Move it aside; unless given, it is refused. */
  readonly overwrite?: boolean;
  /** Receives the line that says where it is now. */
  readonly say?: (line: string) => void;
}

export interface OutputOptions extends OverwriteOptions {
  /**
   * Whether the command goes on with the present content or keeps it; may throw a refusal of its own. It is called under the
   * lock, for a place that is neither new nor empty.
   */
  readonly isOwn?: () => boolean;
}

/** A place that a command may write to. */
export interface OutputPlace {
  /** Whether the command goes on with the present content; else the place is new or empty. */
  readonly continues: boolean;
  release(): void;
}

/**
 * Decides whether a command may write to a folder in place, and locks it: new or empty, or one that the command goes on
 * with. Otherwise `overwrite` moves the content aside, to a free name. Unfinished files of killed processes are removed.
 *
 * @throws ConfigError when something else is there; RunError when another process holds it
 */
export function openOutputFolder(path: string, options: OutputOptions = {}): OutputPlace {
  refuseInsideModel(path);
  if (statusOf(path)?.isDirectory() === false) {
    if (!options.overwrite) throw taken(path);
    moveAside(path, options);
  }
  let lock = takeLock(join(path, LOCK), path);
  try {
    if (isFree(path)) {
      clearLeftovers(path, { isLocked: true });
      return { continues: false, release: lock.release };
    }
    if (isKept(options)) {
      clearBelow(path);
      return { continues: true, release: lock.release };
    }
    if (!options.overwrite) throw taken(path);
    const aside = moveAside(path, options);
    // The lock went with the folder.
    lock.release();
    rmSync(join(aside, LOCK), { force: true });
    lock = takeLock(join(path, LOCK), path);
    return { continues: false, release: lock.release };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Clears what is unfinished in a folder of the command's own that is locked, and in all folders below it. */
function clearBelow(path: string): void {
  clearLeftovers(path, { isLocked: true });
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) clearBelow(join(path, entry.name));
  }
}

/**
 * Locks a folder in which several commands write, each to a place of its own.
 *
 * @throws RunError when another process holds it
 */
export function lockFolder(path: string): Lock {
  refuseInsideModel(path);
  return takeLock(join(path, LOCK), path);
}

/** Whether the command goes on with the present content. Under `overwrite` a refusal of its own means that it does not. */
function isKept({ isOwn, overwrite }: OutputOptions): boolean {
  try {
    return isOwn?.() ?? false;
  } catch (error) {
    if (overwrite && error instanceof UserError && !(error instanceof RunError)) return false;
    throw error;
  }
}

/**
 * Decides whether a command may put a file or a whole folder at `path`, as it does in one step at the end: nothing there, an empty
 * folder, or what the command keeps. The lock lies beside it.
 *
 * @throws ConfigError when something else is there; RunError when another process is about to write it
 */
export function openOutputEntry(path: string, options: OutputOptions = {}): OutputPlace {
  refuseInsideModel(path);
  const lock = takeLock(join(dirname(path), `.${basename(path)}.lock`), path);
  try {
    clearLeftoversOf(path, true);
    const isTaken = !isFree(path);
    const continues = isTaken && isKept(options);
    if (isTaken && !continues) {
      if (!options.overwrite) throw taken(path);
      moveAside(path, options);
    }
    return { continues, release: lock.release };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Puts a file or folder at `path` while the place is held. */
export async function inOutputEntry<T>(
  path: string,
  options: OutputOptions,
  work: (place: OutputPlace) => Promise<T> | T,
): Promise<T> {
  const place = openOutputEntry(path, options);
  try {
    return await work(place);
  } finally {
    place.release();
  }
}

/**
 * Why nothing can be put at `path`, where a file or a folder with content is; undefined for a free place.
 *
 * @param options.canOverwrite whether the command has `--overwrite`, as all have but one
 */
export function takenProblem(path: string, { canOverwrite = true } = {}): string | undefined {
  return isFree(path) ? undefined : taken(path, canOverwrite).message;
}

/** Whether nothing is there, or an empty folder; locks and what is unfinished do not count. */
function isFree(path: string): boolean {
  const status = statusOf(path);
  if (status === undefined) return true;
  return status.isDirectory() && entriesOf(path).length === 0;
}

/** What is there; a link counts as what it leads to, and as itself where that is nothing. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw writeFailure(path, error);
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => name !== LOCK && !name.startsWith(`${LOCK}.`) && !isTemporaryName(name));
  } catch (error) {
    throw writeFailure(path, error);
  }
}

/** What tells scene data from a folder of runs with a dataset.json, as Karpathy's captions are called. */
const SCENE_DATA: readonly string[] = ['dataset.json', 'vision', 'language', 'pairs'];

/** What is there, in words. */
function contentOf(path: string): string {
  const status = statusOf(path);
  if (status?.isSymbolicLink()) return 'a link to nothing';
  if (!status?.isDirectory()) return 'a file';
  const names = entriesOf(path);
  const has = (name: string): boolean => names.includes(name);
  if (has('model.json')) return 'a model';
  if (SCENE_DATA.every(has)) return 'scene data';
  if (has('evaluation.json')) return 'an evaluation';
  if (has('checkpoints') || has('metrics.jsonl')) return 'a run';
  return `a folder with ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
}

function taken(path: string, canOverwrite = true): ConfigError {
  const fixed = whyNotMoved(path) ?? (canOverwrite ? undefined : contentOf(path));
  if (fixed !== undefined) {
    return new ConfigError(`${path}: expected a new or empty place, got ${fixed}; choose another place`);
  }
  return new ConfigError(
    `${path}: expected a new or empty place, got ${contentOf(path)}; choose another place, or give --overwrite, which moves it to ${freeName(path)}`,
  );
}

/** What is there, in words, where it is nothing that may be moved aside. */
function whyNotMoved(path: string): string | undefined {
  const status = statusOf(path);
  if (status === undefined) return undefined;
  if (!status.isFile() && !status.isDirectory() && !status.isSymbolicLink()) return 'a device, a pipe or a socket';
  const inside = status.isDirectory() ? relative(realpathSync(path), realpathSync('.')) : '..';
  return /^\.\.(?:[/\\]|$)/.test(inside) || isAbsolute(inside)
    ? undefined
    : `${contentOf(path)}, the current folder or one above it`;
}

/** `<path>.old-1`, or the first number that is free. */
function freeName(path: string): string {
  for (let number = 1; ; number++) {
    const name = `${path}.old-${number}`;
    if (lstatSync(name, { throwIfNoEntry: false }) === undefined) return name;
  }
}

/** Returns the new name. */
function moveAside(path: string, { say }: OutputOptions): string {
  if (whyNotMoved(path) !== undefined) throw taken(path);
  const aside = freeName(path);
  try {
    renameSync(path, aside);
    flushFolder(dirname(path));
  } catch (error) {
    throw writeFailure(path, error);
  }
  say?.(`${path}: moved to ${aside}`);
  return aside;
}

/** Nothing is written into the folder of a model, of a run or of scene data: their readers would take it for a part of them. */
function refuseInsideModel(path: string): void {
  for (let folder = dirname(resolve(path)); folder !== dirname(folder); folder = dirname(folder)) {
    const has = (...names: string[]): boolean => names.every((name) => existsSync(join(folder, name)));
    const content = has('model.json', 'model.safetensors')
      ? 'a model'
      : has('config.json', 'metrics.jsonl')
        ? 'a run'
        : has(...SCENE_DATA)
          ? 'scene data'
          : undefined;
    if (content === undefined) continue;
    throw new ConfigError(`${path}: lies inside ${folder}, which holds ${content}; choose another place`);
  }
}
