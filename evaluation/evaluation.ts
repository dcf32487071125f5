/** @file What an evaluation found: strings and numbers alone, as `evaluation.json` keeps them. */
import type { CaptionDiagnostics, Interval } from '#captions/metrics';
import type { choiceIntervals } from '#fusion';
import type { Decoding } from '#language';
import type { ByteSource } from '#src/storage';
import type { ForcedChoice, Retrieval } from './likelihood/index.js';
import type { CaptionTrace, DrawnToken } from './traces/index.js';

/** Shares in [0, 1] of what a probe knows of the images, by attribute; null where there was nothing to count. */
export type AttributeShares = Readonly<Record<string, number | null>>;

/** Those shares with what was counted, such as objects. */
export type AttributeScores = AttributeShares & { readonly counts: Readonly<Record<string, number>> };

/** Every score of captions that has an interval; attributes of a probe have one too, by their names. */
export type MetricName = 'captionNll' | 'bleu1' | 'bleu4' | 'meteorExactStem' | 'rougeL' | 'ciderD';

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
  /** Null where no probe knows the images. */
  readonly attributes: AttributeScores | null;
  /** 95 %, by bootstrap over images; by metric and attribute. */
  readonly intervals: Readonly<Record<string, Interval | undefined>>;
}

export interface EvaluatedSet {
  readonly name: string;
  readonly numImages: number;
  /** Further images that could not be read, which no score counts; absent when there are none. */
  readonly numLeftOut?: number;
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

/** Scores of the likelihood of captions, independent of decoding. */
export interface LikelihoodScores {
  readonly forcedChoice: ForcedChoice;
  /** Null when turned off, or with a single image. */
  readonly retrieval: Retrieval | null;
  /**
   * The choice of the probe (`ChoiceDescription`): share of captions whose stated option is likelier than its opposite, led by
   * the caption up to there, with intervals over images; `disagree`: of those that no shortcut answers. Null where none states
   * one. The keys are those of the first probe, of relations in drawn scenes.
   */
  readonly relationChoice: ReturnType<typeof choiceIntervals>;
}

export interface PerImageScores {
  readonly ciderD: readonly number[];
  /** nats per token over the references of the image; null for captions that come from no model. */
  readonly captionNll: readonly number[] | null;
}

/** One image with its generated caption and its references. */
export interface CaptionSample {
  readonly imageId: number;
  readonly image: ByteSource;
  readonly references: readonly string[];
  readonly generated: string;
  /** Everything right and nothing added; null where no probe knows the image. */
  readonly exact: boolean | null;
  readonly bleu4: number;
  readonly rougeL: number;
  readonly ciderD: number;
  readonly captionNll: number;
}

export interface Evaluation {
  /** How captions were made. */
  readonly decoding: Decoding;
  /** Training pairs that constant captions and nearest neighbours come from; absent where there are no such rows. */
  readonly trainingPairs?: number;
  /** tanh of the model's gates by name; absent where it has none. */
  readonly gates?: Readonly<Record<string, readonly number[]>>;
  readonly sets: readonly EvaluatedSet[];
}

/** What the model looked at and drew on, word by word: too large for `evaluation.json`. */
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

/** That scores are of a part of the set, in words; undefined when they are of all of it. */
export function leftOutNote({ numImages, numLeftOut }: EvaluatedSet): string | undefined {
  if (numLeftOut === undefined) return undefined;
  return `${numLeftOut} of ${numImages + numLeftOut} images could not be read and are left out: these scores do not compare with those of the whole set`;
}

/** The ways of captioning a test set, in the order in which they are shown. */
export const ROWS = {
  model: { name: 'model', note: 'the merged, aligned model' },
  upperBound: {
    name: 'train: all',
    note: 'the same merge, aligned with both backbones trained too: what freezing costs',
  },
  shuffled: {
    name: 'shuffled images',
    note: 'the caption of another image of the set: what its captions have in common',
  },
  blank: { name: 'blank image', note: 'the model before a mid-grey image: what it says with nothing to see' },
  blind: {
    name: 'blind (no image)',
    note: 'the language path without an image: what language alone predicts',
  },
  untrained: {
    name: 'zero trained',
    note: 'the merge with its trained parameters off: what concatenation alone gives',
  },
  randomVision: {
    name: 'random vision',
    note: 'the same bridges over a newly initialised vision backbone: what is left without learned features',
  },
  neighbour: {
    name: 'nearest neighbour',
    note: 'the caption of the training image nearest in frozen vision features: what looking up gives',
  },
  constant: {
    name: 'constant, CIDEr-D',
    note: 'one training caption for every image, the best of them by CIDEr-D on train',
  },
  constantBleu4: {
    name: 'constant, BLEU-4',
    note: 'one training caption for every image, the best of them by BLEU-4 on train',
  },
  human: {
    name: 'human, leave one out',
    note: 'each reference against the others, so with one reference fewer than the rows above',
  },
} as const;

/** Names of the rows whose captions come from training captions: they depend on how many there are. */
export const TRAINING_ROWS: readonly string[] = [ROWS.neighbour, ROWS.constant, ROWS.constantBleu4].map(
  ({ name }) => name,
);

/** The scores of a row by name: metrics, and the attributes of a probe. */
export function scoresByName({ attributes, name: _, intervals: __, ...metrics }: EvaluationRow): AttributeShares {
  if (attributes === null) return metrics;
  const { counts: ___, ...shares } = attributes;
  return { ...shares, ...metrics };
}
