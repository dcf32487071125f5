import { z } from 'zod';
import { EvaluateExperiment } from '#evaluation';
import { AlignExperiment, MergeRecipe, TuneExperiment } from '#fusion';
import { LanguageExperiment } from '#language';
import { ScenesConfig } from '#scenes';
import { type LoadedConfig, loadConfig } from '#src/config';
import { ConfigError, shownText } from '#src/errors';
import { VisionExperiment } from '#vision';
import { PipelineExperiment, TokenizerExperiment } from './pipelineConfig.js';
import { StudyExperiment } from './studyConfig.js';
import { SweepExperiment } from './sweepConfig.js';

/** An experiment file that draws scenes. */
export const ScenesExperiment = z.strictObject({
  kind: z.literal('scenes'),
  name: z.string().min(1).describe('name of the folder under --root that receives the data'),
  scenes: ScenesConfig.describe('what is drawn'),
});
export type ScenesExperiment = z.output<typeof ScenesExperiment>;

/** Every kind of experiment file; the key `kind` tells which it is. */
export const Experiment = z
  .discriminatedUnion('kind', [
    ScenesExperiment,
    TokenizerExperiment,
    VisionExperiment,
    LanguageExperiment,
    TuneExperiment,
    MergeRecipe,
    AlignExperiment,
    EvaluateExperiment,
    PipelineExperiment,
    StudyExperiment,
    SweepExperiment,
  ])
  .superRefine(({ name }, context) => {
    if (isFolderName(name)) return;
    const message = `expected the name of a folder, without / and \\; got '${shownText(name)}'`;
    context.addIssue({ code: 'custom', path: ['name'], message });
  });
export type Experiment = z.output<typeof Experiment>;
export type ExperimentKind = Experiment['kind'];

/** Whether a name is that of a folder, in this place and in no other. */
function isFolderName(name: string): boolean {
  return !/^\.{1,2}$|[/\\\p{Cc}]|^\s|\s$/u.test(name) && Buffer.byteLength(name) <= 200;
}

/** The command that runs each kind. */
const COMMANDS: Readonly<Record<ExperimentKind, string>> = {
  scenes: 'scenes',
  tokenizer: 'tokenizer train',
  vision: 'train',
  language: 'train',
  tune: 'tune',
  merge: 'merge',
  align: 'align',
  evaluate: 'evaluate',
  pipeline: 'run',
  study: 'study',
  sweep: 'study',
};

const said = new Set<string>();

/** Reads and checks an experiment file of any kind; that a key has a former name is said once, on stderr. */
export function parseExperiment(
  path: string,
  overrides: readonly string[] = [],
  placeOf?: (override: string) => string,
): LoadedConfig<Experiment> {
  const loaded = loadConfig(path, Experiment, overrides, placeOf);
  for (const notice of loaded.notices) {
    // A stage has a channel to its pipeline, which has said so already.
    if (!said.has(notice) && process.channel === undefined) process.stderr.write(`tokenfuse: ${notice}\n`);
    said.add(notice);
  }
  return loaded;
}

/**
 * Reads an experiment file that must be of one of `kinds`.
 *
 * @param placeOf how messages cite an override that does not come from this command's `--set`
 */
export function parseExperimentOf<K extends ExperimentKind>(
  path: string,
  kinds: readonly K[],
  overrides: readonly string[] = [],
  placeOf?: (override: string) => string,
): Extract<Experiment, { kind: K }> {
  const { config } = parseExperiment(path, overrides, placeOf);
  if (!kinds.includes(config.kind as K)) {
    const command = `tokenfuse ${COMMANDS[config.kind]}`;
    throw new ConfigError(
      `${path}: expected an experiment of kind ${kinds.join(' or ')}, got '${config.kind}': run it with '${command}'`,
    );
  }
  return config as Extract<Experiment, { kind: K }>;
}
