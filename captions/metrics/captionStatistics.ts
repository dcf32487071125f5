import type { TokenizeOptions } from '#captions/tokenization';
import { bleuOfTotals, bleuTotals } from './bleu.js';
import { type Interval, percentileInterval, type ResampleOptions, resampledSums } from './bootstrap.js';
import { ciderD } from './ciderD.js';
import type { DocumentFrequencies } from './documentFrequencies.js';
import { meteorOfTotals, meteorTotals, rememberedStems } from './meteorExactStem.js';
import { type CaptionPredictions, type CaptionSet, MAX_NGRAM, pairCaptions } from './pairedCaptions.js';
import { rougeL } from './rougeL.js';

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

/** How captions are split, and what CIDEr-D weighs n-grams by. */
export interface ScoreOptions extends TokenizeOptions {
  /** Source of CIDEr's idf, tokenized the same way. Default: the evaluated references. */
  readonly documentFrequencies?: DocumentFrequencies;
}

/** One vector per image; the scores of any set of these images are functions of its sum (`scoresOfSums`). */
export interface CaptionStatistics {
  /** Ascending. */
  readonly imageIds: readonly number[];
  readonly perImage: readonly Float64Array[];
}

/** n-gram matches and positions, two lengths, five totals of METEOR, two scores that are means, the number of images. */
const WIDTH = 2 * MAX_NGRAM + 10;

/**
 * The per-image statistics whose sums determine BLEU-1..4, METEOR-like, ROUGE-L and CIDEr-D of a set of captions. CIDEr's
 * idf is that of the whole set, even for sums over a subset.
 *
 * @throws UserError when predictions and references name different images, name none, or an image has no reference
 * @example
 * ```ts
 * const statistics = captionStatistics(predictions, references);
 * const { ciderD } = captionIntervals(statistics, { seed: 0 });
 * ```
 */
export function captionStatistics(
  predictions: CaptionPredictions,
  references: CaptionSet,
  options: ScoreOptions = {},
): CaptionStatistics {
  const pairs = pairCaptions(predictions, references, options);
  const cider = ciderD(pairs, options.documentFrequencies);
  const stemOf = rememberedStems();
  return {
    imageIds: pairs.map(({ imageId }) => imageId),
    perImage: pairs.map((pair, i) => {
      const { matched, positions, predictedLength, referenceLength } = bleuTotals(pair);
      const meteor = meteorTotals(pair, stemOf);
      return Float64Array.of(
        ...Array.from(matched),
        ...Array.from(positions),
        predictedLength,
        referenceLength,
        meteor.weighted,
        meteor.matched,
        meteor.chunks,
        meteor.predictedLength,
        meteor.referenceLength,
        rougeL(pair),
        cider[i],
        1,
      );
    }),
  };
}

/** The scores of the images whose statistics were summed. */
export function scoresOfSums(sums: Float64Array): CaptionMetrics {
  const [predictedLength, referenceLength, ...rest] = sums.subarray(2 * MAX_NGRAM, WIDTH);
  const [weighted, matched, chunks, meteorPredicted, meteorReferenced, rouge, cider, images] = rest;
  const [bleu1, bleu2, bleu3, bleu4] = bleuOfTotals({
    matched: sums.subarray(0, MAX_NGRAM),
    positions: sums.subarray(MAX_NGRAM, 2 * MAX_NGRAM),
    predictedLength,
    referenceLength,
  });
  const meteorExactStem = meteorOfTotals({
    weighted,
    matched,
    chunks,
    predictedLength: meteorPredicted,
    referenceLength: meteorReferenced,
  });
  return { bleu1, bleu2, bleu3, bleu4, meteorExactStem, rougeL: rouge / images, ciderD: cider / images };
}

/**
 * The 95 % bootstrap interval of every score of a set, CIDEr's idf fixed.
 *
 * @throws UserError when `samples` is not a positive integer
 * @example
 * ```ts
 * const { low, high } = captionIntervals(captionStatistics(predictions, references), { seed: 0 }).ciderD;
 * ```
 */
export function captionIntervals(
  { perImage }: CaptionStatistics,
  options: ResampleOptions,
): Record<keyof CaptionMetrics, Interval> {
  const samples = resampledSums(perImage, options).map(scoresOfSums);
  const names = Object.keys(samples[0]) as (keyof CaptionMetrics)[];
  return Object.fromEntries(
    names.map((name) => [name, percentileInterval(Float64Array.from(samples, (scores) => scores[name]))]),
  ) as Record<keyof CaptionMetrics, Interval>;
}

/** The sum of vectors of one width, in their order. */
export function sumOf(vectors: readonly Float64Array[]): Float64Array {
  const sums = new Float64Array(vectors[0].length);
  for (const vector of vectors) for (let k = 0; k < sums.length; k++) sums[k] += vector[k];
  return sums;
}
