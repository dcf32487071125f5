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
  openRun(experiment, context);
  return experiment.kind === 'vision' ? trainVision(experiment, context) : trainLanguage(experiment, context);
}

/** Aligns a merged model into a run directory. */
export function alignStage(experiment: AlignExperiment, context: StageContext): Promise<AlignResult> {
  openRun(experiment, context);
  return align(experiment, context);
}

function openRun(experiment: VisionExperiment | LanguageExperiment | AlignExperiment, context: StageContext): void {
  const { command, engine, runDir, resume } = context;
  openRunDirectory(runDir, { command, config: experiment, seed: experiment.seed, engine }, resume);
}

/** Plans a merge and does it, or throws every problem at once. */
export function mergeStage(recipe: MergeRecipe, root: string, outDir: string): MergeReport {
  const { plan, problems } = planMerge(recipe, root);
  if (plan === undefined) throw new ConfigError(problems);
  return merge(plan, outDir);
}
