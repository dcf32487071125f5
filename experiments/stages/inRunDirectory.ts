import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AlignExperiment } from '#fusion';
import type { LanguageExperiment } from '#language';
import type { EngineInfo } from '#src/engine';
import { openRunDirectory, type RunOptions } from '#src/training';
import type { VisionExperiment } from '#vision';

/** Options of a training run. */
export interface TrainingContext extends RunOptions {
  readonly engine: EngineInfo;
  readonly command: string;
}

/** Opens the run directory and trains in it; a new one is removed when the work fails before anything was trained, such as on missing data. */
export async function inRunDirectory<T>(
  experiment: VisionExperiment | LanguageExperiment | AlignExperiment,
  { command, engine, runDir, resume }: TrainingContext,
  work: () => Promise<T>,
): Promise<T> {
  const own = ['config.json', 'provenance.json'].map((name) => join(runDir, name));
  const isNew = !existsSync(own[0]);
  openRunDirectory(runDir, { command, config: experiment, seed: experiment.seed, engine }, resume);
  try {
    return await work();
  } catch (error) {
    if (isNew && !existsSync(join(runDir, 'metrics.jsonl'))) {
      for (const path of own) rmSync(path, { force: true });
      if (readdirSync(runDir).length === 0) rmdirSync(runDir);
    }
    throw error;
  }
}
