import { UserError } from '#src/errors';
import { type Interval, percentileInterval, type ResampleOptions, resampledSums } from './bootstrap.js';
import type { CaptionMetrics, ScoreOptions } from './captionStatistics.js';
import { captionStatistics, scoresOfSums, sumOf } from './captionStatistics.js';
import { type CaptionPredictions, type CaptionSet, listIds } from './pairedCaptions.js';

/** One score of two sets of captions of the same images. */
export interface ScoreComparison extends Interval {
  readonly a: number;
  readonly b: number;
  /** a − b; `low` and `high` are its 95 % interval. */
  readonly difference: number;
  /**
   * Two-sided, of no difference: twice the smaller share of resamples whose difference is at or beyond 0, the observed set
   * counted as one, so at least 2 / (samples + 1); at most 1.
   */
  readonly p: number;
  /** Images whose caption in a scores higher than that in b, as high, lower. */
  readonly wins: number;
  readonly ties: number;
  readonly losses: number;
}

/** What `compareCaptions` gives: every score of both sets, and their differences. */
export interface CaptionComparison {
  readonly numImages: number;
  readonly scores: Readonly<Record<keyof CaptionMetrics, ScoreComparison>>;
}

/** Differences this small are rounding. */
const TIE = 1e-9;

/**
 * The paired bootstrap between two sets of captions: images are resampled with replacement, each with both of
 * its captions, and the difference of every score is recomputed. CIDEr's idf stays fixed.
 *
 * Source: Efron & Tibshirani 1993, chapters 13 and 15; Koehn 2004 for pairs of systems.
 *
 * @throws UserError when the two caption different images, or other images than the references name
 * @example
 * ```ts
 * const { difference, low, high, p } = compareCaptions(mine, baseline, references, { seed: 0 }).scores.ciderD;
 * ```
 */
export function compareCaptions(
  a: CaptionPredictions,
  b: CaptionPredictions,
  references: CaptionSet,
  { seed, samples, ...options }: ResampleOptions & ScoreOptions,
): CaptionComparison {
  const onlyA = [...a.keys()].filter((id) => !b.has(id));
  const onlyB = [...b.keys()].filter((id) => !a.has(id));
  if (onlyA.length > 0 || onlyB.length > 0) {
    throw new UserError(
      `captions: expected both files to caption the same images, got ${listIds(onlyA, 'in the first alone')} and ` +
        `${listIds(onlyB, 'in the second alone')}: compare captions of one split`,
    );
  }
  const [ofA, ofB] = [a, b].map((predictions) => captionStatistics(predictions, references, options).perImage);
  const width = ofA[0].length;
  const paired = ofA.map((vector, i) => Float64Array.from([...vector, ...ofB[i]]));
  const both = (sums: Float64Array): [CaptionMetrics, CaptionMetrics] => [
    scoresOfSums(sums.subarray(0, width)),
    scoresOfSums(sums.subarray(width)),
  ];
  const [wholeA, wholeB] = both(sumOf(paired));
  const resampled = resampledSums(paired, samples === undefined ? { seed } : { seed, samples }).map(both);
  const perImage = paired.map(both);
  const compare = (name: keyof CaptionMetrics): ScoreComparison => {
    const differences = Float64Array.from(resampled, ([x, y]) => x[name] - y[name]);
    const beyond = (sign: number): number => differences.filter((difference) => sign * difference >= 0).length;
    const gaps = perImage.map(([x, y]) => x[name] - y[name]);
    return {
      a: wholeA[name],
      b: wholeB[name],
      difference: wholeA[name] - wholeB[name],
      ...percentileInterval(differences),
      p: Math.min(1, (2 * (1 + Math.min(beyond(1), beyond(-1)))) / (differences.length + 1)),
      wins: gaps.filter((gap) => gap > TIE).length,
      ties: gaps.filter((gap) => Math.abs(gap) <= TIE).length,
      losses: gaps.filter((gap) => gap < -TIE).length,
    };
  };
  const names = Object.keys(wholeA) as (keyof CaptionMetrics)[];
  return {
    numImages: paired.length,
    scores: Object.fromEntries(names.map((name) => [name, compare(name)])) as Record<
      keyof CaptionMetrics,
      ScoreComparison
    >,
  };
}
