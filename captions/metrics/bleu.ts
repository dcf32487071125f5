import type { CaptionPair, CountedCaption } from './pairedCaptions.js';

/** Cumulative BLEU-1..4, each in [0, 1]. */
export type BleuScores = readonly [bleu1: number, bleu2: number, bleu3: number, bleu4: number];

/** What BLEU sums over images. */
export interface BleuTotals {
  /** Entry `n - 1`: n-grams of the predictions that occur in a reference, clipped. */
  readonly matched: ArrayLike<number>;
  /** Entry `n - 1`: n-gram positions of the predictions. */
  readonly positions: ArrayLike<number>;
  readonly predictedLength: number;
  /** Sum of the lengths of the references nearest in length. */
  readonly referenceLength: number;
}

/** Where a count is zero the reference scorer adds these, so a caption without 4-grams gets (1e-15 / 1e-9)^(1/4) = 0.0316. */
const TINY = 1e-15;
const SMALL = 1e-9;

/**
 * BLEU-1..4 from the totals of one image, or from their sums over all images of a set.
 *
 *     p_n = (Σ_images matched_n + 1e-15) / (Σ_images positions_n + 1e-9)
 *     BLEU-N = min(1, exp(1 - r/c)) · (p_1 · ... · p_N)^(1/N)
 *
 * c is the summed length of the predictions, r that of the nearest references. The score of the set is not the mean of
 * the scores of images.
 *
 * Source: Papineni et al. 2002; constants and ties as in pycocoevalcap's `bleu_scorer.py` (option 'closest').
 */
export function bleuOfTotals({ matched, positions, predictedLength, referenceLength }: BleuTotals): BleuScores {
  const ratio = (predictedLength + TINY) / (referenceLength + SMALL);
  const brevityPenalty = ratio < 1 ? Math.exp(1 - 1 / ratio) : 1;
  let product = 1;
  const upTo = (n: number): number => {
    product *= (matched[n - 1] + TINY) / (positions[n - 1] + SMALL);
    return product ** (1 / n) * brevityPenalty;
  };
  return [upTo(1), upTo(2), upTo(3), upTo(4)];
}

/** The reference length nearest to `length`; of two equally near, the shorter. */
export function nearestLength(length: number, references: readonly CountedCaption[]): number {
  let best = references[0].numWords;
  for (const { numWords } of references) {
    const gain = Math.abs(best - length) - Math.abs(numWords - length);
    if (gain > 0 || (gain === 0 && numWords < best)) best = numWords;
  }
  return best;
}

/** How many n-grams a caption of `numWords` words has. */
export function numPositions(numWords: number, n: number): number {
  return Math.max(0, numWords - n + 1);
}

/** A prediction's n-gram counts as far as one of the references has them: clipped by the largest count in any. */
export function bleuTotals({ prediction, references }: CaptionPair): BleuTotals {
  const matched = prediction.ngrams.map((counts, index) => {
    let sum = 0;
    for (const [ngram, count] of counts) {
      let allowed = 0;
      for (const { ngrams } of references) allowed = Math.max(allowed, ngrams[index].get(ngram) ?? 0);
      sum += Math.min(count, allowed);
    }
    return sum;
  });
  return {
    matched,
    positions: prediction.ngrams.map((_, index) => numPositions(prediction.numWords, index + 1)),
    predictedLength: prediction.numWords,
    referenceLength: nearestLength(prediction.numWords, references),
  };
}
