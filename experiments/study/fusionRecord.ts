import { tokenizeCaption } from '#captions/tokenization';
import type { CaptionSample, EvaluatedSet, EvaluationRow, LikelihoodScores } from '#evaluation';
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

/** Every score a table can show; null where there is none, absent from records of versions that did not have it. */
export type StudyScores = Readonly<Partial<Record<StudyScore, number | null>>>;

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
export function studySet({ name, numImages, rows, likelihood, samples }: EvaluatedSet): StudySet {
  return {
    name,
    numImages,
    // Captions are kept of the model alone, and only it is asked for likelihoods of other captions.
    rows: rows.map((row, i) => ({
      name: row.name,
      scores: scoresOf(row, i === 0 ? likelihood : {}, i === 0 ? shareExact(samples) : null),
    })),
  };
}

/** The share of captions that are equal to one of their references, in words: case and punctuation do not count. */
function shareExact(samples: readonly CaptionSample[]): number | null {
  if (samples.length === 0) return null;
  const words = (caption: string): string => tokenizeCaption(caption, {});
  const exact = samples.filter(({ generated, references }) => references.map(words).includes(words(generated)));
  return exact.length / samples.length;
}

function scoresOf(
  { captionNll, ciderD, bleu4, attributes }: EvaluationRow,
  { relationChoice, retrieval }: Partial<LikelihoodScores>,
  exact: number | null,
): StudyScores {
  return {
    NLL: captionNll,
    'CIDEr-D': ciderD,
    'BLEU-4': bleu4,
    exact,
    'retrieval of an image': retrieval?.textToImage[0].mean ?? null,
    'retrieval of a caption': retrieval?.imageToTextPmi[0].mean ?? null,
    objects: attributes?.object ?? null,
    relation: attributes?.relation ?? null,
    'scene exact': attributes?.exactScene ?? null,
    'relation choice': relationChoice?.all.mean ?? null,
    'relation choice*': relationChoice?.disagree?.mean ?? null,
  };
}
