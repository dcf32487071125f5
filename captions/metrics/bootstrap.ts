import { UserError } from '#src/errors';
import { createRandom } from '#src/random';

/** How images are resampled. */
export interface ResampleOptions {
  readonly seed: number;
  /** 1000 when not given. */
  readonly samples?: number;
}

/**
 * Sums of per-image vectors over bootstrap resamples of the images (as many, with replacement): every score that is a
 * function of such sums (a mean, a ratio, BLEU of the set) gets its bootstrap distribution from them. Equal seeds and
 * numbers of images draw equal images, so two sets of vectors are resampled in pairs.
 *
 * @param perImage one vector per image, all of one width
 * @returns one vector of sums per resample
 * @throws UserError when there is no image, a value is not finite, or `samples` is not a positive integer
 */
export function resampledSums(
  perImage: readonly ArrayLike<number>[],
  { seed, samples = 1000 }: ResampleOptions,
): Float64Array[] {
  const size = perImage.length;
  if (size === 0) throw new UserError('bootstrap: expected the values of at least one image, got none');
  if (!Number.isInteger(samples) || samples < 1) {
    throw new UserError(`bootstrap: expected samples to be a positive integer, got ${samples}`);
  }
  const width = perImage[0].length;
  const values = new Float64Array(size * width);
  for (const [image, vector] of perImage.entries()) {
    values.set(vector, image * width);
    const broken = Array.from(vector).find((value) => !Number.isFinite(value));
    if (broken !== undefined) {
      throw new UserError(`bootstrap: expected finite values, got ${broken} at position ${image}`);
    }
  }
  const random = createRandom(seed, 'bootstrap');
  return Array.from({ length: samples }, () => {
    const sums = new Float64Array(width);
    for (let draw = 0; draw < size; draw++) {
      const start = random.integer(size) * width;
      for (let k = 0; k < width; k++) sums[k] += values[start + k];
    }
    return sums;
  });
}

/** The ends of an interval of a score. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The interval that holds the middle 95 % of values. Source: Efron & Tibshirani 1993, section 13.3. */
export function percentileInterval(values: Float64Array): Interval {
  const ascending = values.slice().sort();
  return { low: quantile(ascending, 0.025), high: quantile(ascending, 0.975) };
}

/** The quantile of ascending values, linear between neighbours. */
function quantile(ascending: Float64Array, share: number): number {
  const position = share * (ascending.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (position - below) * (ascending[above] - ascending[below]);
}

/** A mean with the interval that holds 95 % of the means of resampled images. */
export interface BootstrapInterval extends Interval {
  readonly mean: number;
}

/**
 * The 95 % percentile bootstrap interval of a mean over images: `samples` resamples of as many images, with
 * replacement. For scores that are means (CIDEr-D, ROUGE-L, accuracies), not for BLEU of a set. CIDEr's
 * idf stays fixed. Equal seeds give equal intervals.
 *
 * Source: Efron & Tibshirani 1993, section 13.3.
 *
 * @throws UserError when there is no value, a value is not finite, or `samples` is not a positive integer
 * @example
 * ```ts
 * const { mean, low, high } = bootstrapInterval(scores.perImage.map(({ ciderD }) => ciderD), 0);
 * ```
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
