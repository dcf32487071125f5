/** @file What an evaluation found: strings and numbers alone, as `evaluation.json` keeps them. */
import type { SceneAccuracy } from '#fusion/scenes';
import { renderTable } from '#src/cli';

export type AttributeAccuracy = Omit<SceneAccuracy, 'perImage'>;

/** Scores of one way of captioning one test set; null: does not apply. */
export interface EvaluationRow {
  readonly name: string;
  /** nats per token over all references. */
  readonly captionNll: number | null;
  readonly bleu1: number;
  readonly bleu4: number;
  readonly rougeL: number;
  /** 0 to 10, as pycocoevalcap computes it (papers print it × 100 of the 0 to 1 scale, that is × 10 of this). */
  readonly ciderD: number;
  readonly attributes: AttributeAccuracy | null;
}

export interface EvaluatedSet {
  readonly name: string;
  readonly numImages: number;
  readonly rows: readonly EvaluationRow[];
  readonly samples: readonly CaptionSample[];
}

/** One image with what was said and what should have been. */
export interface CaptionSample {
  readonly imageId: number;
  readonly imagePath: string;
  readonly references: readonly string[];
  readonly generated: string;
  /** Every object, and the relation, right; null where the truth is not known. */
  readonly exact: boolean | null;
}

export interface Evaluation {
  readonly sets: readonly EvaluatedSet[];
}

/** Names of rows, in the order in which they are shown. */
export const ROWS = {
  model: 'model',
  upperBound: 'train: all',
  shuffled: 'shuffled images',
  blind: 'blind (no image)',
  untrained: 'zero trained',
  constant: 'constant caption',
} as const;

/** A test set's rows as a table of at most 80 columns. */
export function setTable({ name, numImages, rows }: EvaluatedSet): string {
  const show = (value: number | null | undefined): string => (value == null ? '–' : value.toFixed(3));
  const hasScenes = rows.some(({ attributes }) => attributes !== null);
  const headers = [
    `${name} (${numImages})`,
    'NLL',
    'CIDEr-D',
    ...(hasScenes ? ['colour', 'shape', 'size', 'object', 'relation', 'exact'] : ['BLEU-1', 'BLEU-4', 'ROUGE-L']),
  ];
  const cells = rows.map(({ name: row, captionNll: nll, ciderD, bleu1, bleu4, rougeL, attributes: a }) => [
    row,
    ...[nll, ciderD].map(show),
    ...(hasScenes ? [a?.colour, a?.shape, a?.size, a?.object, a?.relation, a?.exactScene] : [bleu1, bleu4, rougeL]).map(
      show,
    ),
  ]);
  return `${renderTable(headers, cells)}\n`;
}
