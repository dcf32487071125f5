import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { EvaluateExperiment } from '#evaluation';
import { type AlignExperiment, MERGE_REPORT, type MergeRecipe, type MergeReport } from '#fusion';
import type { LanguageExperiment } from '#language';
import { ConfigError } from '#src/errors';
import { readJson } from '#src/storage';
import { isTrained } from '#src/training';
import type { VisionExperiment } from '#vision';
import type { ScenesExperiment } from '../config/parseExperiment.js';
import type { TokenizerExperiment } from '../config/pipelineConfig.js';
import type { Stage } from './stage.js';
import { isTokenizerOf } from './tokenizerRecord.js';

type StageExperiment =
  | ScenesExperiment
  | TokenizerExperiment
  | VisionExperiment
  | LanguageExperiment
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
}

/** The command of each kind of experiment; `computes`: on an engine, with a cache; `resumes`: continues an interrupted run. */
const COMMANDS: Readonly<
  Record<StageExperiment['kind'], { words: readonly string[]; computes?: boolean; resumes?: boolean }>
> = {
  scenes: { words: ['scenes'] },
  tokenizer: { words: ['tokenizer', 'train'] },
  vision: { words: ['train'], computes: true, resumes: true },
  language: { words: ['train'], computes: true, resumes: true },
  merge: { words: ['merge'] },
  align: { words: ['align'], computes: true, resumes: true },
  evaluate: { words: ['evaluate'], computes: true },
};

/** The stage that runs an experiment file by its command. */
export function experimentStage(setup: StageSetup, { root, cacheDir, engineWords }: StagePlaces): Stage {
  const { name, needs, path, overrides, experiment, quiet = false } = setup;
  const outDir = setup.outDir ?? join(root, experiment.name);
  const { words, computes = false, resumes = false } = COMMANDS[experiment.kind];
  const out = experiment.kind === 'tokenizer' ? join(outDir, 'tokenizer.json') : outDir;
  const allWords = [
    ...[...words, path, '--root', root],
    ...(computes ? ['--cache-dir', cacheDir, ...engineWords] : []),
    ...overrides.flatMap((override) => ['--set', override]),
    ...['--out', out],
    ...(resumes ? ['--resume'] : []),
  ];
  const complete = (): boolean => isComplete(experiment, outDir, path);
  // The other commands keep what is complete themselves.
  const refusesToRunAgain = experiment.kind === 'tokenizer' || experiment.kind === 'merge';
  return {
    ...{ name, needs, outDir },
    isComplete: complete,
    run: async ({ command }) => {
      if (refusesToRunAgain && complete()) return undefined;
      return command(allWords, { computes, quiet });
    },
  };
}

function isComplete(experiment: StageExperiment, outDir: string, path: string): boolean {
  const refuseIf = (differs: boolean, how: string): void => {
    if (differs) throw new ConfigError(`${outDir}: was ${how} than ${path}; choose another --out`);
  };
  switch (experiment.kind) {
    case 'scenes':
      return existsSync(join(outDir, 'dataset.json'));
    case 'tokenizer': {
      const file = join(outDir, 'tokenizer.json');
      if (!existsSync(file)) return false;
      refuseIf(!isTokenizerOf(experiment, file), 'trained with other settings');
      return true;
    }
    case 'vision':
    case 'language':
    case 'align':
      return isTrained(outDir, experiment.training);
    case 'merge': {
      const file = join(outDir, MERGE_REPORT);
      if (!existsSync(file)) return false;
      const { recipe } = readJson(file, 'merge report') as MergeReport;
      refuseIf(!isDeepStrictEqual(recipe, experiment), 'merged by another recipe');
      return true;
    }
    case 'evaluate':
      return existsSync(join(outDir, 'evaluation.json'));
  }
}
