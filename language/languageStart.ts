import { ConfigError } from '#src/errors';
import { startProblems } from '#src/stacks';
import type { HostTensor } from '#src/storage';
import { growParameters } from '#src/tokenformer';
import {
  costBefore,
  type GrownModel,
  growthSeed,
  initCheckpoint,
  openCheckpointFolder,
  optimizerStart,
  readInitModel,
  readModelConfig,
  rowCounts,
  type TrainingRun,
} from '#src/training';
import type { LanguageExperiment } from './experiment.js';
import { ANY_LANGUAGE_KIND } from './languageKind.js';
import type { AnyLanguageModelConfig } from './languageModelConfig.js';
import { LANGUAGE_GROUP } from './model/backbone.js';

/**
 * The parameters that training starts with: random ones, or those that `initFrom` names, grown to the size of `model`.
 *
 * @param fresh random parameters of the experiment's model
 * @throws ConfigError when the trained model cannot become that of the experiment: another tokenizer, another shape
 */
export function languageStart(
  { seed, initFrom }: Pick<LanguageExperiment, 'seed' | 'initFrom'>,
  { backbone, tokenizerFingerprint }: AnyLanguageModelConfig,
  fresh: GrownModel['fresh'],
  root: string,
): Pick<TrainingRun, 'oldRows' | 'optimizerStart' | 'costBefore'> & {
  readonly tensors: ReadonlyMap<string, HostTensor>;
} {
  if (initFrom === undefined) return { tensors: fresh(seed) };
  const directory = initCheckpoint(initFrom, root);
  const trained = readModelConfig(openCheckpointFolder(directory), ANY_LANGUAGE_KIND);
  const problems = startProblems(trained.backbone.stack, backbone.stack, initFrom.policy);
  if (trained.tokenizerFingerprint !== tokenizerFingerprint) {
    problems.push(
      `tokenizer: expected that of ${directory}, which the model was trained with, got another (fingerprints differ)`,
    );
  } else if (trained.backbone.vocabSize !== backbone.vocabSize) {
    problems.push(
      `initFrom: ${directory} has ${trained.backbone.vocabSize} rows in its embedding for ${backbone.vocabSize} tokens; expected as many`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const { tensors } = readInitModel(initFrom, root, ANY_LANGUAGE_KIND);
  return {
    tensors: growParameters(tensors, fresh(growthSeed(seed, 0)), LANGUAGE_GROUP, initFrom.policy),
    oldRows: rowCounts(tensors),
    costBefore: costBefore(initFrom, root),
    optimizerStart: optimizerStart(initFrom, root, tensors),
  };
}
