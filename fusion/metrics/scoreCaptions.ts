import type { CaptionPredictions, CaptionSet } from './captionPairs.js';
import { type CaptionStatistics, captionStatistics, scoresOfSums, sumOf } from './captionStatistics.js';
import type { DocumentFrequencies } from './documentFrequencies.js';
import type { TokenizeOptions } from './ptbTokenize.js';

/** The caption metrics: BLEU, METEOR-like and ROUGE-L in [0, 1], CIDEr-D in [0, 10]. */
export interface CaptionMetrics {
  readonly bleu1: number;
  readonly bleu2: number;
  readonly bleu3: number;
  readonly bleu4: number;
  readonly meteorExactStem: number;
  readonly rougeL: number;
  readonly ciderD: number;
}

/** Scores of a set of captions. BLEU and METEOR of the set are not the means of its images; ROUGE-L and CIDEr-D are. */
export interface CaptionScores extends CaptionMetrics {
  /** One entry per image, in ascending order of id. */
  readonly perImage: readonly (CaptionMetrics & { readonly imageId: number })[];
}

export interface ScoreOptions extends TokenizeOptions {
  /** Where CIDEr's idf comes from (tokenized alike); the evaluated references when not given. */
  readonly documentFrequencies?: DocumentFrequencies;
}

/**
 * BLEU-1..4, METEOR-like, ROUGE-L and CIDEr-D of one caption per image; BLEU, ROUGE-L and CIDEr-D are pycocoevalcap's
 * numbers for captions tokenized alike. Time grows linearly with the number of images.
 *
 * @throws UserError when predictions and references name different images, name none, or an image has no reference
 */
export function scoreCaptions(
  predictions: CaptionPredictions,
  references: CaptionSet,
  options: ScoreOptions = {},
): CaptionScores {
  return scoresOf(captionStatistics(predictions, references, options));
}

/** The scores of a set whose statistics are at hand. */
export function scoresOf({ imageIds, perImage }: CaptionStatistics): CaptionScores {
  return {
    ...scoresOfSums(sumOf(perImage)),
    perImage: perImage.map((statistics, i) => ({ imageId: imageIds[i], ...scoresOfSums(statistics) })),
  };
}
