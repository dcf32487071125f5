/** @file `checkpoints/best.json` and `last.json` of a run: which of its checkpoints is which. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#src/errors';
import { clearLeftovers, readJson, writeJsonAtomic } from '#src/storage';
import { formerOf, removeCheckpoint } from './checkpoint.js';
import { isVerifying } from './checkpointFolder.js';
import { readManifest } from './manifest.js';
import type { CheckpointDigests } from './provenance.js';

const POINTERS = ['best', 'last'] as const;
type PointerName = (typeof POINTERS)[number];

const Pointer = z.strictObject({
  /** A folder beside the pointer. */
  directory: z.string().regex(/^step-\d{1,16}$/),
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
  const found = new Map(POINTERS.flatMap((name) => checkedPointer(path, name)));
  // A run that was killed at its first checkpoint may have a best one and no last one yet.
  const directory = found.get(prefer) ?? found.get('last') ?? found.get('best');
  if (directory !== undefined) return directory;
  throw new UserError(`cannot find a model at ${path}: it has no model.json and no checkpoints/last.json`);
}

/** Whether a run has written a checkpoint. */
export function hasPointer(runDir: string): boolean {
  return existsSync(fileOf(runDir, 'last')) || existsSync(fileOf(runDir, 'best'));
}

/** Digests of the checkpoints of models, by name. @param paths run directories or checkpoint folders */
export function checkpointDigests(paths: Readonly<Record<string, string>>): CheckpointDigests {
  return Object.fromEntries(
    Object.entries(paths).map(([name, path]) => [name, readManifest(findCheckpoint(path))?.sha256 ?? null]),
  );
}

/** The folder that a pointer of a run names, if there is that pointer. */
function checkedPointer(runDir: string, name: PointerName): [PointerName, string][] {
  const file = fileOf(runDir, name);
  const pointer = readPointer(file);
  if (pointer === undefined) return [];
  const directory = resolvePointer(runDir, pointer);
  if (directory !== undefined) return [[name, directory]];
  const named = join(folderOf(runDir), pointer.directory);
  const others = otherCheckpoints(runDir, pointer.directory);
  const why = existsSync(named) ? `${named} has another manifest than it says` : `there is no ${named}`;
  const instead = others.length > 0 ? `; whole checkpoints may be: ${others.join(', ')}` : '';
  throw new UserError(`${file}: damaged: ${why}${instead}`);
}

/** The checkpoint that a pointer means: by its manifest, since one of the same step may be about to take its place. */
function resolvePointer(runDir: string, { directory, manifest }: Pointer): string | undefined {
  const named = join(folderOf(runDir), directory);
  const there = [named, formerOf(named)].filter((path) => existsSync(path));
  if (manifest === undefined || !isVerifying()) return there[0];
  return there.find((path) => readManifest(path)?.sha256 === manifest);
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
  const target: Pointer = { directory, manifest: readManifest(join(folder, directory))?.sha256 };
  for (const name of POINTERS) {
    const file = fileOf(runDir, name);
    // One that names this step already means the checkpoint that was replaced.
    if (names.includes(name) || readPointer(file)?.directory === directory) writeJsonAtomic(file, target);
  }
  removeUnpointed(runDir);
}

/** Removes the checkpoints that nothing points at, such as those that a kill or a power cut left. */
export function removeUnpointed(runDir: string): void {
  const folder = folderOf(runDir);
  const kept = new Set(
    POINTERS.map((name) => {
      const pointer = readPointer(fileOf(runDir, name));
      return pointer && resolvePointer(runDir, pointer);
    }),
  );
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    if (/^step-\d+(\.former)?$/.test(entry) && !kept.has(path)) removeCheckpoint(path);
  }
  clearLeftovers(folder);
}

/** How to go on with a run whose last checkpoint is damaged: from the best one, where that is another. */
export function otherWayOn(runDir: string): string {
  const [best, last] = POINTERS.map((name) => directoryOf(fileOf(runDir, name)));
  if (best === undefined || best === last || !existsSync(join(folderOf(runDir), best))) {
    return `; the run has no other checkpoint: to start anew, move ${runDir} away`;
  }
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
