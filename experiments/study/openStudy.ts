import { ConfigError } from '#src/errors';
import { parseExperimentOf } from '../config/parseExperiment.js';
import { fusionStudy } from './fusionStudy.js';
import type { Study } from './study.js';
import { sweepStudy } from './sweepStudy.js';
import { quickVariant } from './sweepVariant.js';

/**
 * Reads a study with all its stages' files, and checks them.
 *
 * @param overrides as `--set` gives them
 * @param quick the small variant that the file describes
 */
export function openStudy(path: string, overrides: readonly string[] = [], quick = false): Study {
  const experiment = parseExperimentOf(path, ['study', 'sweep'], overrides);
  if (experiment.kind === 'sweep') return sweepStudy(quick ? quickVariant(experiment, path) : experiment, path);
  if (quick) throw new ConfigError(`--quick: ${path} is of kind study, which has no quick variant`);
  return fusionStudy(experiment, path);
}
