import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '#src/errors';
import { type Experiment, parseExperimentOf } from '../config/parseExperiment.js';
import type { PipelineExperiment } from '../config/pipelineConfig.js';
import { experimentStage, type Stage, type StagePlaces, type StageSetup } from '../stages/index.js';
import { pageStage } from './pageStage.js';

/** Keys of a pipeline that name a stage's file; also the stages' names. */
export const PIPELINE_STAGES = ['scenes', 'tokenizer', 'vision', 'language', 'merge', 'align', 'evaluate'] as const;
type PipelineStage = (typeof PIPELINE_STAGES)[number];

/** Name of the stage and of the run that aligns a copy with `train: all`. */
export const UPPER_BOUND = 'align-all';

/** A stage's experiment file, read with its overrides. */
interface StageFile<K extends PipelineStage> {
  readonly path: string;
  readonly overrides: readonly string[];
  readonly experiment: Extract<Experiment, { kind: K }>;
}

export type PipelineFiles = ReturnType<typeof pipelineFiles>;

/**
 * Reads and checks every stage's file before anything runs.
 *
 * @param overrides `stage.key=value`, changes to the stages' files
 */
export function pipelineFiles(pipeline: PipelineExperiment, path: string, overrides: readonly string[]) {
  const folder = dirname(resolve(path));
  const of = <K extends PipelineStage>(kind: K, file: string): StageFile<K> => {
    const own = overrides.filter((word) => word.startsWith(`${kind}.`)).map((word) => word.slice(kind.length + 1));
    const stagePath = join(folder, file);
    return {
      path: stagePath,
      overrides: own,
      experiment: parseExperimentOf(stagePath, [kind], own, (word) => `--set ${kind}.${word}`),
    };
  };
  const { scenes, tokenizer } = pipeline;
  const absent = PIPELINE_STAGES.find(
    (stage) => pipeline[stage] === undefined && overrides.some((word) => word.startsWith(`${stage}.`)),
  );
  if (absent !== undefined) throw new ConfigError(`--set ${absent}.…: ${path} has no stage '${absent}'`);
  const files = {
    scenes: scenes === undefined ? undefined : of('scenes', scenes),
    tokenizer: tokenizer === undefined ? undefined : of('tokenizer', tokenizer),
    vision: of('vision', pipeline.vision),
    language: of('language', pipeline.language),
    merge: of('merge', pipeline.merge),
    align: of('align', pipeline.align),
    evaluate: of('evaluate', pipeline.evaluate),
  };
  const { merge, align, evaluate } = files;
  if (align.experiment.train === 'all') {
    throw new ConfigError(
      `${align.path}: 'train': expected bridge groups, got 'all'; --upper-bound aligns a copy with train: all`,
    );
  }
  const boundOverrides = [...align.overrides, 'train=all', ...pipeline.upperBound];
  const upperBound: StageFile<'align'> = {
    path: align.path,
    overrides: boundOverrides,
    experiment: parseExperimentOf(align.path, ['align'], boundOverrides, (word) =>
      pipeline.upperBound.includes(word) ? `${path}: upperBound: ${word}` : `--set align.${word}`,
    ),
  };
  const references = [
    [merge.path, 'vision', merge.experiment.vision, files.vision.experiment.name],
    [merge.path, 'language', merge.experiment.language, files.language.experiment.name],
    [align.path, 'model', align.experiment.model, merge.experiment.name],
    [evaluate.path, 'model', evaluate.experiment.model, align.experiment.name],
  ];
  const wrong = references.filter(([, , got, expected]) => got !== expected);
  if (wrong.length > 0) {
    throw new ConfigError(
      wrong.map(
        ([file, key, got, expected]) =>
          `${file}: '${key}': expected '${expected}', the name of that stage; got '${got}'`,
      ),
    );
  }
  return { ...files, upperBound, page: pipeline.page === true ? { title: `tokenfuse: ${pipeline.name}` } : undefined };
}

/** The graph of a pipeline, in the order of the work; `withUpperBound`: with the copy that is aligned with `train: all`. */
export function pipelineStages(
  files: PipelineFiles,
  places: StagePlaces,
  { withUpperBound, quietEvaluation }: { readonly withUpperBound: boolean; readonly quietEvaluation: boolean },
): Stage[] {
  const { scenes, tokenizer, vision, language, merge, align, upperBound, evaluate, page } = files;
  const data = scenes === undefined ? [] : ['scenes'];
  const text = tokenizer === undefined ? data : [...data, 'tokenizer'];
  const bound = withUpperBound ? [UPPER_BOUND] : [];
  const evaluateOverrides = [...evaluate.overrides, ...bound.map((name) => `upperBound=${name}`)];
  const evaluation: StageFile<'evaluate'> = {
    path: evaluate.path,
    overrides: evaluateOverrides,
    experiment: parseExperimentOf(evaluate.path, ['evaluate'], evaluateOverrides),
  };
  const stage = (name: string, needs: readonly string[], file: Omit<StageSetup, 'name' | 'needs'>): Stage =>
    experimentStage({ name, needs, ...file }, places);
  return [
    ...(scenes === undefined ? [] : [stage('scenes', [], scenes)]),
    ...(tokenizer === undefined ? [] : [stage('tokenizer', data, tokenizer)]),
    stage('vision', data, vision),
    stage('language', text, language),
    stage('merge', ['vision', 'language'], merge),
    stage('align', [...data, 'merge'], align),
    ...bound.map((name) => stage(name, [...data, 'merge'], { ...upperBound, outDir: join(places.root, UPPER_BOUND) })),
    stage('evaluate', [...data, 'align', ...bound], { ...evaluation, quiet: quietEvaluation }),
    ...(page === undefined
      ? []
      : [
          pageStage(
            {
              needs: [...data, 'align'],
              model: join(places.root, align.experiment.name),
              title: page.title,
              set: evaluate.experiment.sets[0],
            },
            places,
          ),
        ]),
  ];
}
