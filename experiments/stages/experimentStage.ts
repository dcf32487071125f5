import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { EVALUATION, EvaluateExperiment, evaluatedModels, evaluationInputs } from '#evaluation';
import { type AlignExperiment, MERGE_REPORT, MergeRecipe, readMergeReport, type TuneExperiment } from '#fusion';
import type { LanguageExperiment } from '#language';
import { storedConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import {
  type CheckpointDigests,
  checkpointDigests,
  hasSameInputs,
  type InitFrom,
  initCheckpoint,
  inputsOf,
  isStartedWith,
  isTrained,
} from '#src/training';
import type { VisionExperiment } from '#vision';
import type { ScenesExperiment } from '../config/parseExperiment.js';
import type { TokenizerExperiment } from '../config/pipelineConfig.js';
import type { Stage } from './stage.js';
import { isTokenizerOf } from './tokenizerRecord.js';

/** The experiments that a stage runs. */
export type StageExperiment =
  | ScenesExperiment
  | TokenizerExperiment
  | VisionExperiment
  | LanguageExperiment
  | TuneExperiment
  | MergeRecipe
  | AlignExperiment
  | EvaluateExperiment;

/** Where the stages of one run read and write, and the engine that they compute on. */
export interface StagePlaces {
  /** Paths in experiment files start here. */
  readonly root: string;
  readonly cacheDir: string;
  /** `--engine …`, as the user gave it. */
  readonly engineWords: readonly string[];
  /** Whether results of other settings are moved aside. */
  readonly overwrite?: boolean;
  /** Whether training goes on with more steps than before. */
  readonly extend?: boolean;
}

export interface StageSetup {
  readonly name: string;
  readonly needs: readonly string[];
  /** The experiment file, and what it says with `overrides`. */
  readonly path: string;
  readonly overrides: readonly string[];
  readonly experiment: StageExperiment;
  /** `<root>/<name of the experiment>` unless given. */
  readonly outDir?: string;
  readonly quiet?: boolean;
  /** Whether a complete one is left alone; unless given, a command that resumes is run all the same, for what it reports. */
  readonly leavesComplete?: boolean;
}

/** The command of each kind of experiment; `computes`: on an engine, with a cache; `resumes`: continues an interrupted run. */
const COMMANDS: Readonly<
  Record<StageExperiment['kind'], { words: readonly string[]; computes?: boolean; resumes?: boolean }>
> = {
  scenes: { words: ['scenes'] },
  tokenizer: { words: ['tokenizer', 'train'] },
  vision: { words: ['train'], computes: true, resumes: true },
  language: { words: ['train'], computes: true, resumes: true },
  tune: { words: ['tune'], computes: true, resumes: true },
  merge: { words: ['merge'] },
  align: { words: ['align'], computes: true, resumes: true },
  evaluate: { words: ['evaluate'], computes: true },
};

/** The stage that runs an experiment file by its command. */
export function experimentStage(setup: StageSetup, places: StagePlaces): Stage {
  const { root, cacheDir, engineWords, overwrite = false, extend = false } = places;
  const { name, needs, path, overrides, experiment, quiet = false, leavesComplete = false } = setup;
  const outDir = setup.outDir ?? join(root, experiment.name);
  const { words, computes = false, resumes = false } = COMMANDS[experiment.kind];
  const out = experiment.kind === 'tokenizer' ? join(outDir, 'tokenizer.json') : outDir;
  const allWords = [
    ...[...words, path, '--root', root],
    ...(computes ? ['--cache-dir', cacheDir, ...engineWords] : []),
    ...overrides.flatMap((override) => ['--set', override]),
    ...['--out', out],
    ...(resumes ? [extend ? '--extend' : '--resume'] : []),
    ...(overwrite ? ['--overwrite'] : []),
  ];
  const complete = (): boolean => {
    const isThere = stateOf(experiment, outDir, root);
    if (isThere === 'other' && !overwrite) {
      throw new ConfigError(
        `${outDir}: was made with other settings than ${path} gives, or of other models than are there now; give --overwrite to move it aside, or choose another --out`,
      );
    }
    return isThere === 'complete';
  };
  // The other commands keep what is complete themselves.
  const isKept = leavesComplete || ['tokenizer', 'merge', 'evaluate'].includes(experiment.kind);
  return {
    ...{ name, needs, outDir },
    isComplete: complete,
    run: async ({ command }) => {
      if (isKept && complete()) return undefined;
      return command(allWords, { computes, quiet });
    },
  };
}

/** Whether a stage's whole output is there, or that of other settings or other models. */
function stateOf(experiment: StageExperiment, outDir: string, root: string): 'complete' | 'open' | 'other' {
  const madeBy = (isOwn: boolean): 'complete' | 'other' => (isOwn ? 'complete' : 'other');
  switch (experiment.kind) {
    case 'scenes':
      return existsSync(join(outDir, 'dataset.json')) ? 'complete' : 'open';
    case 'tokenizer': {
      const file = join(outDir, 'tokenizer.json');
      return existsSync(file) ? madeBy(isTokenizerOf(experiment, file)) : 'open';
    }
    case 'vision':
    case 'language':
      if (!isTrained(outDir, experiment.training)) return 'open';
      return madeBy(isMadeOf(inputsOf(outDir), initPaths(experiment, root)));
    case 'tune':
      if (!isTrained(outDir, experiment.training)) return 'open';
      return madeBy(isMadeOf(inputsOf(outDir), { model: resolve(root, experiment.model) }));
    case 'align':
      if (!isTrained(outDir, experiment.training)) return 'open';
      return madeBy(
        isMadeOf(inputsOf(outDir), { model: resolve(root, experiment.model), ...initPaths(experiment, root) }),
      );
    case 'merge': {
      const file = join(outDir, MERGE_REPORT);
      if (!existsSync(file)) return 'open';
      const { recipe, inputs } = readMergeReport(outDir);
      const { vision, language } = experiment;
      const paths = { vision: resolve(root, vision), language: resolve(root, language) };
      return madeBy(isDeepStrictEqual(storedConfig(recipe, MergeRecipe), experiment) && isMadeOf(inputs, paths));
    }
    case 'evaluate': {
      if (!existsSync(join(outDir, EVALUATION))) return 'open';
      const isSame = isStartedWith(outDir, experiment, EvaluateExperiment);
      const groups = (experiment.groups ?? []).map((group) => resolve(root, group));
      const isThere = [...Object.values(evaluatedModels(experiment, root)), ...groups].every((read) =>
        existsSync(read),
      );
      const now = isThere ? evaluationInputs(experiment, root) : undefined;
      return madeBy(isSame && hasSameInputs(inputsOf(outDir), now));
    }
  }
}

/** The checkpoint that training starts from, if one is there. */
function initPaths({ initFrom }: { readonly initFrom?: InitFrom | undefined }, root: string): Record<string, string> {
  if (initFrom === undefined) return {};
  const path = resolve(root, initFrom.checkpoint);
  return { initFrom: existsSync(path) ? initCheckpoint(initFrom, root) : path };
}

/**
 * Whether a result was made of the checkpoints that are at these paths now. One of an earlier version does not say, and models
 * that were removed cannot be asked.
 */
function isMadeOf(inputs: CheckpointDigests | undefined, paths: Readonly<Record<string, string>>): boolean {
  const isThere = Object.values(paths).every((path) => existsSync(path));
  return hasSameInputs(inputs, isThere ? checkpointDigests(paths) : undefined);
}
