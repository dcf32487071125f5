import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AlignExperiment,
  type AlignResult,
  align,
  type MergeRecipe,
  type MergeReport,
  merge,
  planMerge,
} from '#fusion';
import { type LanguageExperiment, trainLanguage } from '#language';
import { sceneProbe } from '#scenes';
import type { Output } from '#src/cli';
import type { EngineInfo } from '#src/engine';
import { ConfigError } from '#src/errors';
import { openRunDirectory, type TrainingResult } from '#src/training';
import { trainVision, type VisionExperiment } from '#vision';

/** What every stage that computes needs to know. */
export interface StageContext {
  readonly root: string;
  readonly cacheDir: string;
  readonly runDir: string;
  readonly resume: boolean;
  readonly engine: EngineInfo;
  readonly command: string;
  readonly output: Output;
}

/** Pretrains a backbone into a run directory. */
export function trainStage(
  experiment: VisionExperiment | LanguageExperiment,
  context: StageContext,
): Promise<TrainingResult> {
  return inRunDirectory(experiment, context, () =>
    experiment.kind === 'vision' ? trainVision(experiment, context) : trainLanguage(experiment, context),
  );
}

/** Aligns a merged model into a run directory. */
export function alignStage(experiment: AlignExperiment, context: StageContext): Promise<AlignResult> {
  return inRunDirectory(experiment, context, () => align(experiment, { ...context, probe: sceneProbe }));
}

/** Opens the run directory; when the work fails before anything was trained, such as on missing data, a new one goes again. */
async function inRunDirectory<T>(
  experiment: VisionExperiment | LanguageExperiment | AlignExperiment,
  { command, engine, runDir, resume }: StageContext,
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

/** Plans a merge and does it, or throws every problem at once. */
export function mergeStage(recipe: MergeRecipe, root: string, outDir: string): MergeReport {
  const { plan, problems } = planMerge(recipe, root);
  if (plan === undefined) throw new ConfigError(problems);
  return merge(plan, outDir);
}
