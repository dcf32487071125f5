import { percentileInterval, resampledSums } from './resampledSums.js';

/** A mean with the interval that holds 95 % of the means of resampled images. */
export interface BootstrapInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The 95 % percentile bootstrap interval of a mean over images, from `samples` resamples of the images with replacement.
 * For scores that are means (CIDEr-D, ROUGE-L, accuracies), not for corpus BLEU. CIDEr's idf is kept fixed. Equal seeds
 * give equal intervals.
 *
 * Source: Efron & Tibshirani 1993, section 13.3.
 *
 * @throws UserError when there is no value, a value is not finite, or `samples` is not a positive integer
 */
export function bootstrapInterval(perImageValues: readonly number[], seed: number, samples = 1000): BootstrapInterval {
  const size = perImageValues.length;
  const sums = resampledSums(
    perImageValues.map((value) => [value]),
    { seed, samples },
  );
  const mean = perImageValues.reduce((sum, value) => sum + value, 0) / size;
  return { mean, ...percentileInterval(Float64Array.from(sums, ([sum]) => sum / size)) };
}
