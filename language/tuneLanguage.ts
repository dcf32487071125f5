import { z } from 'zod';
import { ConfigError } from '#src/errors';
import { runTuning, type TuneResult, type Tuning, tunedStack } from '#src/groups';
import { ParameterTree } from '#src/tokenformer';
import { findCheckpoint, type RunOptions, readModel } from '#src/training';
import { LanguageExperiment } from './experiment.js';
import { languageNames } from './languageGroups.js';
import { LANGUAGE_KIND } from './languageKind.js';
import { loadCheckpointTokenizer } from './languageModel.js';
import { LANGUAGE_GROUP, useVocabulary } from './model/backbone.js';
import { languageTask, openLanguageData } from './trainLanguage.js';

/** What a language backbone is tuned on. */
export const LanguageTuning = z.strictObject({
  data: LanguageExperiment.shape.data,
  objective: LanguageExperiment.shape.objective,
});
export type LanguageTuning = z.output<typeof LanguageTuning>;

/**
 * Tunes a language backbone on text.
 *
 * @param path of the backbone: a run directory or a checkpoint folder
 */
export async function tuneLanguage(
  path: string,
  { data, objective }: LanguageTuning,
  tuning: Tuning,
  options: RunOptions,
): Promise<TuneResult> {
  const directory = findCheckpoint(path);
  const { config, tensors, assets } = readModel(directory, LANGUAGE_KIND);
  const { backbone } = config;
  if (data.seqLen > backbone.seqLen) {
    throw new ConfigError(
      `language.data.seqLen: expected at most ${backbone.seqLen}, the seqLen that the model was trained with, got ${data.seqLen}`,
    );
  }
  const { stack, parameters } = tunedStack(LANGUAGE_GROUP, backbone.stack, tuning);
  const tokenizer = loadCheckpointTokenizer(directory, config);
  const text = openLanguageData({ data, seed: tuning.seed }, tokenizer, options, (line) => options.output.line(line));
  const tuned = { ...backbone, stack };
  const tree = new ParameterTree(new Map([...tensors, ...parameters]));
  useVocabulary(tree, tokenizer.vocabSize);
  try {
    return await runTuning(
      {
        ...{ modelKind: LANGUAGE_KIND, backbone: LANGUAGE_GROUP, config: { ...config, backbone: tuned }, assets },
        names: languageNames(backbone),
        group: parameters,
        task: languageTask(tree, tuned, text, { training: tuning.training, data, objective }),
      },
      tuning,
      options,
    );
  } finally {
    tree.dispose();
    text.dispose();
    tokenizer.dispose();
  }
}
