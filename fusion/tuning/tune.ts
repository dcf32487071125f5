import { resolve } from 'node:path';
import { type LanguageTuning, tuneLanguage } from '#language';
import type { TuneResult, Tuning } from '#src/groups';
import type { RunOptions } from '#src/training';
import { tuneVision } from '#vision';
import { type TuneExperiment, tunedGroup } from './tuneConfig.js';

/** Tunes a vision or a language backbone, which stays as it is. */
export function tune(experiment: TuneExperiment, options: RunOptions): Promise<TuneResult> {
  const { name, seed, training, language, vision } = experiment;
  const path = resolve(options.root, experiment.model);
  const tuning: Tuning = { name, seed, training, group: tunedGroup(experiment), experiment };
  return vision
    ? tuneVision(path, vision, tuning, options)
    : tuneLanguage(path, language as LanguageTuning, tuning, options);
}
