/** @file What an evaluation found: strings and numbers alone, as `evaluation.json` keeps them. */
import type { CaptionDiagnostics, Interval } from '#captions/metrics';
import type { relationIntervals } from '#fusion';
import type { Decoding } from '#language';
import type { SceneAccuracy } from '#scenes';
import type { ByteSource } from '#src/storage';
import type { ForcedChoice, Retrieval } from './likelihood/index.js';
import type { CaptionTrace, DrawnToken } from './traces/index.js';

export type AttributeAccuracy = Omit<SceneAccuracy, 'perImage'>;

/** Shares of a drawn scene that a caption has right, in [0, 1]. */
export const ATTRIBUTE_NAMES = [
  'colour',
  'shape',
  'size',
  'object',
  'relation',
  'relationAgree',
  'relationDisagree',
  'exactScene',
] as const satisfies readonly (keyof AttributeAccuracy)[];
export type AttributeName = (typeof ATTRIBUTE_NAMES)[number];

/** Every score of a row that has an interval. */
export type ScoreName = 'captionNll' | 'bleu1' | 'bleu4' | 'meteorExactStem' | 'rougeL' | 'ciderD' | AttributeName;

/** Scores of one way of captioning one test set; null: does not apply. */
export interface EvaluationRow {
  readonly name: string;
  /** nats per token over all references. */
  readonly captionNll: number | null;
  readonly bleu1: number;
  readonly bleu4: number;
  readonly meteorExactStem: number;
  readonly rougeL: number;
  /** 0 to 10, as pycocoevalcap computes it (papers print it × 100). */
  readonly ciderD: number;
  readonly attributes: AttributeAccuracy | null;
  /** 95 %, by bootstrap over images. */
  readonly intervals: Readonly<Partial<Record<ScoreName, Interval>>>;
}

export interface EvaluatedSet {
  readonly name: string;
  readonly numImages: number;
  readonly rows: readonly EvaluationRow[];
  /** The model's row over the images of each domain alone, for data that name one (nocaps); CIDEr's idf is the set's. */
  readonly domains: readonly DomainScores[];
  readonly likelihood: LikelihoodScores;
  readonly diagnostics: CaptionDiagnostics;
  readonly samples: readonly CaptionSample[];
  /** Per image, in the order of `samples`, by the name of the row. */
  readonly perImage: Readonly<Record<string, PerImageScores>>;
}

export interface DomainScores {
  readonly domain: string;
  readonly numImages: number;
  readonly row: EvaluationRow;
}

/** What the likelihood of captions tells, whatever the model generates. */
export interface LikelihoodScores {
  readonly forcedChoice: ForcedChoice;
  /** Null when turned off, or with a single image. */
  readonly retrieval: Retrieval | null;
  /**
   * Share of captions whose stated relation is likelier than its opposite, led by the caption up to there, with intervals over
   * images; `disagree`: of those that the first object's own side of the image does not answer. Null where none states one.
   */
  readonly relationChoice: ReturnType<typeof relationIntervals>;
}

export interface PerImageScores {
  readonly ciderD: readonly number[];
  /** nats per token over the references of the image; null for captions that no model weighs. */
  readonly captionNll: readonly number[] | null;
}

/** One image with what was said and what should have been. */
export interface CaptionSample {
  readonly imageId: number;
  readonly image: ByteSource;
  readonly references: readonly string[];
  readonly generated: string;
  /** Every object, and the relation, right; null where the truth is not known. */
  readonly exact: boolean | null;
  readonly bleu4: number;
  readonly rougeL: number;
  readonly ciderD: number;
  readonly captionNll: number;
}

export interface Evaluation {
  /** How captions were made. */
  readonly decoding: Decoding;
  readonly sets: readonly EvaluatedSet[];
}

/** What the model looked at and drew on, word by word: too large to lie in `evaluation.json`. */
export interface Traces {
  readonly sets: readonly SetTraces[];
  /** The parameter tokens of each group that tell words apart, over all sets. */
  readonly parameterTokens: readonly DrawnToken[];
}

export interface SetTraces {
  readonly set: string;
  /** In random order; empty for methods that cannot be traced. */
  readonly captions: readonly CaptionTrace[];
}

/** Names of rows, in the order in which they are shown. */
export const ROWS = {
  model: 'model',
  upperBound: 'train: all',
  shuffled: 'shuffled images',
  blank: 'blank image',
  blind: 'blind (no image)',
  untrained: 'zero trained',
  randomVision: 'random vision',
  neighbour: 'nearest neighbour',
  constant: 'constant, CIDEr-D',
  constantBleu4: 'constant, BLEU-4',
  human: 'human, leave one out',
} as const;

/** What each row shows. */
export const ROW_NOTES: Readonly<Record<string, string>> = {
  [ROWS.model]: 'the merged, aligned model',
  [ROWS.upperBound]: 'the same merge, aligned with both backbones trained too: what freezing costs',
  [ROWS.shuffled]: 'the caption of another image of the set: what its captions have in common',
  [ROWS.blank]: 'the model before a mid-grey image: what it says with nothing to see',
  [ROWS.blind]: 'the language path without an image: what language alone predicts',
  [ROWS.untrained]: 'the merge with its trained parameters off: what concatenation alone gives',
  [ROWS.randomVision]: 'the same bridges over a vision backbone drawn anew: what is left without learned features',
  [ROWS.neighbour]: 'the caption of the training image nearest in frozen vision features: what looking up gives',
  [ROWS.constant]: 'one training caption for every image, the best of them by CIDEr-D on train',
  [ROWS.constantBleu4]: 'one training caption for every image, the best of them by BLEU-4 on train',
  [ROWS.human]: 'each reference against the others, so with one reference fewer than the rows above',
};
