import { UserError } from '#src/errors';
import { createRandom } from '#src/random';

/** A mean with the interval that holds 95 % of the means of resampled images. */
export interface BootstrapInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The 95 % percentile bootstrap interval of a mean over images: images are drawn again, as many as there are and with
 * replacement, `samples` times. For scores that are means (CIDEr-D, ROUGE-L, accuracies), not for BLEU of a set. CIDEr's
 * idf is held as it is. Equal seeds give equal intervals.
 *
 * Source: Efron & Tibshirani 1993, section 13.3.
 *
 * @throws UserError when there is no value, a value is not finite, or `samples` is not a positive integer
 */
export function bootstrapInterval(perImageValues: readonly number[], seed: number, samples = 1000): BootstrapInterval {
  const size = perImageValues.length;
  if (size === 0) throw new UserError('bootstrapInterval: expected the values of at least one image, got none');
  const broken = perImageValues.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    throw new UserError(
      `bootstrapInterval: expected finite values, got ${perImageValues[broken]} at position ${broken}`,
    );
  }
  if (!Number.isInteger(samples) || samples < 1) {
    throw new UserError(`bootstrapInterval: expected samples to be a positive integer, got ${samples}`);
  }
  const random = createRandom(seed, 'bootstrap');
  const means = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    for (let draw = 0; draw < size; draw++) sum += perImageValues[random.integer(size)];
    means[sample] = sum / size;
  }
  means.sort();
  const mean = perImageValues.reduce((sum, value) => sum + value, 0) / size;
  return { mean, low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** The quantile of ascending values, linear between neighbours. */
function quantile(ascending: Float64Array, share: number): number {
  const position = share * (ascending.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (position - below) * (ascending[above] - ascending[below]);
}
