/** @file `checkpoints/best.json` and `last.json` of a run: which of its checkpoints is which. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#src/errors';
import { clearLeftovers, readJson, writeJsonAtomic } from '#src/storage';
import { removeCheckpoint } from './checkpoint.js';
import { isVerifying } from './checkpointFolder.js';
import { readManifest } from './manifest.js';

type PointerName = 'best' | 'last';

const Pointer = z.strictObject({
  /** A folder beside the pointer. */
  directory: z.string().regex(/^step-\d+$/),
  /** SHA-256 of the checkpoint's manifest; runs of older versions have none. */
  manifest: z.string().optional(),
});
type Pointer = z.output<typeof Pointer>;

const folderOf = (runDir: string): string => join(runDir, 'checkpoints');
const fileOf = (runDir: string, name: PointerName): string => join(folderOf(runDir), `${name}.json`);

/**
 * The checkpoint folder of `path`: itself, or the best or last one of a run directory; where that is missing, the other one.
 *
 * @throws UserError when there is none, and when a pointer of the run is damaged
 */
export function findCheckpoint(path: string, prefer: PointerName = 'best'): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw new UserError(`cannot find a model at ${path}: expected a run directory or a checkpoint folder`);
  }
  if (existsSync(join(path, 'model.json'))) return path;
  const found = new Map((['best', 'last'] as const).flatMap((name) => checkedPointer(path, name)));
  // A run that was killed at its first checkpoint may have a best one and no last one yet.
  const directory = found.get(prefer) ?? found.get('last') ?? found.get('best');
  if (directory !== undefined) return directory;
  throw new UserError(`cannot find a model at ${path}: it has no model.json and no checkpoints/last.json`);
}

/** Whether a run has written a checkpoint. */
export function hasPointer(runDir: string): boolean {
  return existsSync(fileOf(runDir, 'last')) || existsSync(fileOf(runDir, 'best'));
}

/** The folder that a pointer of a run names, if there is that pointer. */
function checkedPointer(runDir: string, name: PointerName): [PointerName, string][] {
  const file = fileOf(runDir, name);
  const pointer = readPointer(file);
  if (pointer === undefined) return [];
  const directory = join(folderOf(runDir), pointer.directory);
  const others = otherCheckpoints(runDir, pointer.directory);
  const instead = others.length > 0 ? `; whole checkpoints may be: ${others.join(', ')}` : '';
  if (!existsSync(directory)) throw new UserError(`${file}: damaged: there is no ${directory}${instead}`);
  if (isVerifying() && pointer.manifest !== undefined && readManifest(directory)?.sha256 !== pointer.manifest) {
    throw new UserError(`${file}: damaged: ${directory} has another manifest than it says${instead}`);
  }
  return [[name, directory]];
}

function readPointer(file: string): Pointer | undefined {
  if (!existsSync(file)) return undefined;
  const parsed = Pointer.safeParse(readJson(file, 'checkpoint pointer'));
  if (parsed.success) return parsed.data;
  throw new UserError(`${file}: damaged: expected the name of a folder beside it, {"directory": "step-0000100", …}`);
}

function otherCheckpoints(runDir: string, directory: string): string[] {
  return readdirSync(folderOf(runDir))
    .filter((entry) => /^step-\d+$/.test(entry) && entry !== directory)
    .map((entry) => join(folderOf(runDir), entry));
}

/** Points `checkpoints/<name>.json` of a run at a checkpoint folder and removes the checkpoints that nothing points at. */
export function pointAt(runDir: string, names: readonly PointerName[], directory: string): void {
  const folder = folderOf(runDir);
  const manifest = readManifest(join(folder, directory))?.sha256;
  for (const name of names) writeJsonAtomic(fileOf(runDir, name), { directory, manifest } satisfies Pointer);
  const kept = new Set((['best', 'last'] as const).map((name) => readPointer(fileOf(runDir, name))?.directory));
  for (const entry of readdirSync(folder)) {
    if (/^step-\d+$/.test(entry) && !kept.has(entry)) removeCheckpoint(join(folder, entry));
  }
  clearLeftovers(folder);
}

/** How to go on from the best checkpoint of a run whose last one is damaged; nothing where that is no other one. */
export function otherWayOn(runDir: string): string {
  const [best, last] = (['best', 'last'] as const).map((name) => directoryOf(fileOf(runDir, name)));
  if (best === undefined || best === last || !existsSync(join(folderOf(runDir), best))) return '';
  return `; to go on from ${best} instead, copy ${fileOf(runDir, 'best')} over ${fileOf(runDir, 'last')} and resume`;
}

function directoryOf(file: string): string | undefined {
  try {
    return readPointer(file)?.directory;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
