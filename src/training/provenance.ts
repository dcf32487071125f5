import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { parseFile } from '#src/config';
import { ENGINE_NAMES, type EngineInfo } from '#src/engine';
import { readJson, writeJsonAtomic } from '#src/storage';

/** What is needed to reproduce a result; kept with the numbers. */
export interface Provenance {
  /** The whole command, as it was given. */
  readonly command: string;
  readonly config: unknown;
  readonly seed: number;
  readonly engine: EngineInfo;
  /** Digests of the checkpoints that it was made of, by their key in the configuration. */
  readonly inputs?: CheckpointDigests;
}

/** `null` for a checkpoint of an earlier version, which has no manifest. */
export type CheckpointDigests = Readonly<Record<string, string | null>>;

/** Where numbers come from; the content of `provenance.json`. */
export interface RunProvenance extends Omit<Provenance, 'config'> {
  /** The version of Node, such as v20.20.0. */
  readonly node: string;
  /** Cores × model. */
  readonly processor: string;
  readonly memoryBytes: number;
  /** Of this package. */
  readonly version: string;
  /** Of the code; null outside of a git checkout of it. */
  readonly commit: string | null;
  /** What a run was lengthened by, in order. */
  readonly extensions?: readonly Extension[];
}

/** A run that went on with more steps than it was started with. */
export interface Extension {
  readonly command: string;
  /** `training.steps 400, now 600` */
  readonly changes: readonly string[];
}

export const PROVENANCE = 'provenance.json';
export const RUN_CONFIG = 'config.json';

/** What is read again of a provenance.json; the rest stays as it is. */
const StoredProvenance = z.looseObject(
  {
    seed: z.number('a number'),
    engine: z.looseObject(
      { name: z.enum(ENGINE_NAMES, 'the name of an engine'), device: z.string('a string') },
      'an object',
    ),
    node: z.string('a string'),
    processor: z.string('a string'),
    commit: z.string('a string or null').nullable(),
    inputs: z.record(z.string(), z.string('a digest or null').nullable(), 'an object').optional(),
    extensions: z.array(z.unknown(), 'an array').optional(),
  },
  'an object',
);
export type StoredProvenance = z.output<typeof StoredProvenance>;

/** Reads the provenance.json of a folder. @throws UserError when it is missing or damaged */
export function readProvenance(folder: string): StoredProvenance {
  const path = join(folder, PROVENANCE);
  return parseFile(StoredProvenance, readJson(path, 'provenance'), path);
}

/** The digests in a folder's provenance.json; undefined where there are none. */
export function inputsOf(folder: string): CheckpointDigests | undefined {
  return existsSync(join(folder, PROVENANCE)) ? readProvenance(folder).inputs : undefined;
}

/** Whether two results were made of the same checkpoints; what does not say, as from an earlier version, may have been. */
export function hasSameInputs(one: CheckpointDigests | undefined, other: CheckpointDigests | undefined): boolean {
  return one === undefined || other === undefined || isDeepStrictEqual({ ...one }, { ...other });
}

/**
 * Writes provenance.json and then config.json into a folder.
 *
 * @param extension of a run that is there: where it comes from stays, and this is added
 */
export function writeProvenance(folder: string, provenance: Provenance, extension?: Extension): void {
  const own = extension ? extended(folder, provenance, extension) : provenanceOf(provenance);
  writeJsonAtomic(join(folder, PROVENANCE), own);
  writeJsonAtomic(join(folder, RUN_CONFIG), provenance.config);
}

function extended(folder: string, provenance: Provenance, extension: Extension): object {
  const before = existsSync(join(folder, PROVENANCE)) ? readProvenance(folder) : provenanceOf(provenance);
  return { ...before, extensions: [...(before.extensions ?? []), extension] };
}

/** What is known of machine and code, with the command. */
export function provenanceOf({ command, seed, engine, inputs }: Provenance): RunProvenance {
  return {
    ...{ command, seed, engine, ...(inputs && { inputs }), node: process.version },
    processor: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    memoryBytes: totalmem(),
    ...{ version: packageVersion(), commit: gitCommit() },
  };
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** The folder of this package's package.json, above the sources as above what is built of them. */
function packageFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** The commit of the code; null outside of a git checkout of it, such as in the node_modules of another repository. */
function gitCommit(): string | null {
  const cwd = packageFolder();
  if (!existsSync(join(cwd, '.git'))) return null;
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return null;
  }
}
