import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { EngineInfo } from '#src/engine';
import { ConfigError } from '#src/errors';
import { readJson, writeJsonAtomic } from '#src/storage';

/** What makes a result again; kept with every number it produced. */
export interface Provenance {
  readonly command: string;
  readonly config: unknown;
  readonly seed: number;
  readonly engine: EngineInfo;
}

/** Where numbers come from, as `provenance.json` keeps it. */
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
      throw new ConfigError(`${runDir}: a run is there already; expected --resume to go on with it, or another --out`);
    }
    if (JSON.stringify(readJson(configPath, 'run configuration')) !== JSON.stringify(config)) {
      throw new ConfigError(
        `${runDir}: cannot resume: the configuration differs from the run's own config.json; repeat the --set options it was started with, or delete this folder to start anew`,
      );
    }
    return;
  }
  writeProvenance(runDir, provenance);
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
