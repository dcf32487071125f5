import {
  type CaptionMetrics,
  type CaptionStatistics,
  captionStatistics,
  type ScoreOptions,
  scoresOfSums,
  sumOf,
} from './captionStatistics.js';
import type { CaptionPredictions, CaptionSet } from './pairedCaptions.js';

/** Scores of a set of captions. BLEU and METEOR of the set are not the means of its images; ROUGE-L and CIDEr-D are. */
export interface CaptionScores extends CaptionMetrics {
  /** One entry per image, in ascending order of id. */
  readonly perImage: readonly (CaptionMetrics & { readonly imageId: number })[];
}

/**
 * BLEU-1..4, METEOR-like, ROUGE-L and CIDEr-D of one caption per image; BLEU, ROUGE-L and CIDEr-D are pycocoevalcap's
 * numbers for captions tokenized alike. Time grows linearly with the number of images.
 *
 * @throws UserError when predictions and references name different images, name none, or an image has no reference
 * @example
 * ```ts
 * const predictions = new Map([[1, 'a red circle']]);
 * const references = new Map([[1, ['a red circle above a square', 'the circle is red']]]);
 * const { bleu4, ciderD, perImage } = scoreCaptions(predictions, references);
 * ```
 */
export function scoreCaptions(
  predictions: CaptionPredictions,
  references: CaptionSet,
  options: ScoreOptions = {},
): CaptionScores {
  return scoresOf(captionStatistics(predictions, references, options));
}

/** The scores of a set, from its statistics. */
export function scoresOf({ imageIds, perImage }: CaptionStatistics): CaptionScores {
  return {
    ...scoresOfSums(sumOf(perImage)),
    perImage: perImage.map((statistics, i) => ({ imageId: imageIds[i], ...scoresOfSums(statistics) })),
  };
}
