import { join } from 'node:path';
import { parseExperimentOf } from '../config/parseExperiment.js';
import type { StudyExperiment } from '../config/studyConfig.js';
import { experimentStage, type Stage, type StagePlaces } from '../stages/index.js';
import type { FusionCell } from './fusionCells.js';
import type { stageFiles } from './stageFiles.js';

type StudyFiles = ReturnType<typeof stageFiles>['files'];
type StudyStage = keyof StudyFiles;

const BACKBONES = ['vision', 'language'] as const;
type Backbone = (typeof BACKBONES)[number];
type State = FusionCell['row'][Backbone];

/** What a study makes once: scenes, where it has some, and the tokenizer. */
export function dataStages(files: StudyFiles, places: StagePlaces): Stage[] {
  const tokenizer = stageOf(files, places, 'tokenizer', 'tokenizer', files.scenes ? ['scenes'] : []);
  return files.scenes ? [stageOf(files, places, 'scenes', 'scenes', []), tokenizer] : [tokenizer];
}

/** The backbones that cells merge, trained or only drawn, once per seed. */
export function backboneStages(
  { seeds }: StudyExperiment,
  cells: readonly FusionCell[],
  files: StudyFiles,
  places: StagePlaces,
): Stage[] {
  return seeds.flatMap((seed) =>
    BACKBONES.flatMap((kind) =>
      (['trained', 'random'] as const)
        .filter((state) => cells.some((cell) => cell.seed === seed && cell.row[kind] === state))
        .map((state) => {
          const overrides = [`seed=${seed}`, ...(state === 'random' ? ['training.steps=0'] : [])];
          const outDir = join(places.root, backboneFolder(seed, kind, state));
          return stageOf(files, places, kind, backboneName(seed, kind, state), ['tokenizer'], overrides, outDir);
        }),
    ),
  );
}

/** Merges, aligns where the row is trained, and evaluates: the stages of one cell, the evaluation last. */
export function cellStages(
  study: StudyExperiment,
  { row, seed, pairs, folder }: FusionCell,
  label: string,
  files: StudyFiles,
  places: StagePlaces,
): Stage[] {
  const stage = (kind: StudyStage, needs: readonly string[], to: string, overrides: readonly string[]): Stage => {
    const outDir = join(places.root, folder, to);
    return stageOf(files, places, kind, `${label}: ${kind}`, needs, [`seed=${seed}`, ...overrides], outDir);
  };
  const from = BACKBONES.map((kind) => `${kind}=${backboneFolder(seed, kind, row[kind])}`);
  const needs = BACKBONES.map((kind) => backboneName(seed, kind, row[kind]));
  const merge = stage('merge', needs, 'merged', [...from, ...row.merge]);
  const align =
    row.align === false
      ? undefined
      : stage('align', [merge.name], 'align', [
          ...[`model=${join(folder, 'merged')}`, `data.maxPairs=${pairs}`],
          ...row.align,
        ]);
  const controls = row.name === study.controlsOf ? [] : study.withoutControls;
  const model = join(folder, align === undefined ? 'merged' : 'align');
  const evaluate = stage('evaluate', [(align ?? merge).name], 'evaluation', [`model=${model}`, ...controls]);
  return align === undefined ? [merge, evaluate] : [merge, align, evaluate];
}

function stageOf(
  files: StudyFiles,
  places: StagePlaces,
  kind: StudyStage,
  name: string,
  needs: readonly string[],
  overrides: readonly string[] = [],
  outDir?: string,
): Stage {
  const path = files[kind] as string;
  const experiment = parseExperimentOf(path, [kind], overrides);
  return experimentStage({ name, needs, path, overrides, experiment, outDir }, places);
}

function backboneName(seed: number, kind: Backbone, state: State): string {
  return `seed ${seed} ${kind} ${state}`;
}

function backboneFolder(seed: number, kind: Backbone, state: State): string {
  return join(`seed-${seed}`, state === 'random' ? `${kind}-random` : kind);
}
