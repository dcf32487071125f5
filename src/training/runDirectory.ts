import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { EngineInfo } from '#src/engine';
import { ConfigError } from '#src/errors';
import { readJson, writeJsonAtomic } from '#src/storage';

/** What is needed to reproduce a result; kept with the numbers. */
export interface Provenance {
  readonly command: string;
  readonly config: unknown;
  readonly seed: number;
  readonly engine: EngineInfo;
}

/** Where numbers come from; the content of `provenance.json`. */
export interface RunProvenance extends Omit<Provenance, 'config'> {
  /** The version of Node, such as v20.20.0. */
  readonly node: string;
  /** Cores × model. */
  readonly processor: string;
  readonly memoryBytes: number;
  /** Of the code; null outside of a git checkout. */
  readonly commit: string | null;
}

export const PROVENANCE = 'provenance.json';

/**
 * Starts a run directory (config.json, provenance.json), or checks on resume that the configuration is the one it was
 * started with: another one would not continue the same run.
 *
 * @throws ConfigError when the directory is taken, or when it cannot be resumed
 */
export function openRunDirectory(runDir: string, provenance: Provenance, resume: boolean): void {
  const configPath = join(runDir, 'config.json');
  const config = JSON.parse(JSON.stringify(provenance.config));
  if (existsSync(configPath)) {
    if (!resume) {
      throw new ConfigError(`${runDir}: holds a run already; expected --resume to continue it, or another --out`);
    }
    const before = readJson(configPath, 'run configuration');
    if (JSON.stringify(before) !== JSON.stringify(config)) {
      throw new ConfigError(
        `${runDir}: cannot resume with another configuration (${changes(before, config).join(', ')}); repeat the --set options it was started with, or delete this folder to start over`,
      );
    }
    return;
  }
  writeProvenance(runDir, provenance);
}

/** At most so many changes are named. */
const MAX_CHANGES = 3;

/** `training.steps 1000, now 100` for what differs between two configurations; the order of keys for one. */
function changes(before: unknown, now: unknown): string[] {
  const [a, b] = [new Map(leaves(before, '')), new Map(leaves(now, ''))];
  const keys = [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
  const named = keys.map((key) => `${key} ${a.get(key) ?? 'not set'}, now ${b.get(key) ?? 'not set'}`);
  if (named.length === 0) return ['keys in another order'];
  return named.length <= MAX_CHANGES ? named : [...named.slice(0, MAX_CHANGES), `${named.length - MAX_CHANGES} more`];
}

/** Every value of a configuration as JSON, by its path. */
function leaves(value: unknown, path: string): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, entry]) => leaves(entry, path === '' ? key : `${path}.${key}`));
}

/** Writes provenance.json and then config.json into a folder, over those that are there. */
export function writeProvenance(folder: string, { command, config, seed, engine }: Provenance): RunProvenance {
  const provenance: RunProvenance = {
    ...{ command, seed, engine, node: process.version },
    processor: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    memoryBytes: totalmem(),
    commit: gitCommit(),
  };
  writeJsonAtomic(join(folder, PROVENANCE), provenance);
  writeJsonAtomic(join(folder, 'config.json'), config);
  return provenance;
}

/** The commit of the code, or null outside of a git checkout. */
function gitCommit(): string | null {
  try {
    const options = { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['rev-parse', 'HEAD'], options).toString().trim();
  } catch {
    return null;
  }
}
