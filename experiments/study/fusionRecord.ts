import type { EvaluatedSet, EvaluationRow, LikelihoodScores } from '#evaluation';
import type { StudyExperiment, StudyScore } from '../config/studyConfig.js';
import type { FusionCell } from './fusionCells.js';
import type { CellRecord } from './study.js';

/** The result of a cell of a fusion study. `npm run results` keeps it in experiments/records/. */
export interface StudyRecord extends CellRecord {
  /** The settings it was made with; others need another folder. */
  readonly settings: StudySettings;
  readonly trainableParameters: number;
  readonly backboneParameters: number;
  readonly seconds: number;
  readonly sets: readonly StudySet[];
}

/** The scores of one test set: the model's first, then those of its controls. */
export interface StudySet {
  readonly name: string;
  readonly numImages: number;
  readonly rows: readonly { readonly name: string; readonly scores: StudyScores }[];
}

/** Every score a table can show; null where there is none. */
export type StudyScores = Readonly<Record<StudyScore, number | null>>;

export interface StudySettings {
  readonly row: FusionCell['row'];
  readonly seed: number;
  readonly pairs: number | null;
  readonly controls: boolean;
  /** Of the stages' files, as `stageFiles` takes it. */
  readonly digest: string;
}

/** What a cell is made with. */
export function cellSettings(study: StudyExperiment, { row, seed, pairs }: FusionCell, digest: string): StudySettings {
  return { row, seed, pairs, controls: row.name === study.controlsOf, digest };
}

/** What a record keeps of an evaluated test set. */
export function studySet({ name, numImages, rows, likelihood }: EvaluatedSet): StudySet {
  return {
    name,
    numImages,
    // Only the model itself chooses between relations.
    rows: rows.map((row, i) => ({ name: row.name, scores: scoresOf(row, i === 0 ? likelihood : {}) })),
  };
}

function scoresOf(
  { captionNll, ciderD, bleu4, attributes }: EvaluationRow,
  { relationChoice }: Partial<Pick<LikelihoodScores, 'relationChoice'>>,
): StudyScores {
  return {
    NLL: captionNll,
    'CIDEr-D': ciderD,
    'BLEU-4': bleu4,
    objects: attributes?.object ?? null,
    relation: attributes?.relation ?? null,
    'scene exact': attributes?.exactScene ?? null,
    'relation choice': relationChoice?.all.mean ?? null,
    'relation choice*': relationChoice?.disagree?.mean ?? null,
  };
}
