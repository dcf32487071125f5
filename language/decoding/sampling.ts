import type { Random } from '#src/random';

export interface SamplingOptions {
  /** Divides the logits before anything else; below 1 sharpens, above 1 flattens, 0 takes the likeliest. 1 unless given. */
  readonly temperature?: number | undefined;
  /** Keep only this many of the most likely tokens. */
  readonly topK?: number | undefined;
  /** Keep the fewest most likely tokens whose probabilities reach this sum, in (0, 1]; after topK, renormalised. */
  readonly topP?: number | undefined;
}

/** The tokens that may be drawn, with probabilities that sum to 1; after topP likeliest first, equal ones by id. */
export interface TokenDistribution {
  readonly ids: readonly number[];
  readonly probabilities: readonly number[];
}

/**
 * The likeliest token; of equal ones the lowest id.
 *
 * @param logits [vocabSize]
 * @throws RangeError when no logit is a number above -Infinity
 */
export function greedyToken(logits: ArrayLike<number>): number {
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    // One comparison for nearly every token; NaN is neither above nor below.
    if (logit <= highest) continue;
    if (Number.isNaN(logit)) throw new RangeError(`greedyToken: expected numbers, got NaN at token ${id}`);
    highest = logit;
    best = id;
  }
  if (best === -1) throw new RangeError('greedyToken: expected a logit above -Infinity, got none');
  return best;
}

/**
 * softmax(logits / temperature), cut to topK tokens, then to topP of the remaining mass, and renormalised.
 * Sources: top-k, Fan et al. 2018 (arXiv 1805.04833); top-p, Holtzman et al. 2020 (arXiv 1904.09751).
 *
 * @param logits [vocabSize]; -Infinity forbids a token
 * @throws RangeError for an option out of range, or logits that are NaN, +Infinity or all -Infinity
 */
export function tokenDistribution(logits: ArrayLike<number>, options: SamplingOptions): TokenDistribution {
  const { temperature = 1, topK = logits.length, topP = 1 } = options;
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`temperature: expected a number of at least 0, got ${temperature}`);
  }
  if (!Number.isInteger(topK) || topK < 1) throw new RangeError(`topK: expected an integer of at least 1, got ${topK}`);
  if (!(topP > 0 && topP <= 1)) throw new RangeError(`topP: expected a number in (0, 1], got ${topP}`);
  const likeliest = greedyToken(logits);
  const highest = logits[likeliest];
  if (highest === Number.POSITIVE_INFINITY) throw new RangeError('logits: expected finite numbers, got Infinity');
  if (temperature === 0) return { ids: [likeliest], probabilities: [1] };

  // The highest logit is subtracted first, so that no exponential overflows at a low temperature.
  const weightOf = (id: number): number => Math.exp((logits[id] - highest) / temperature);
  let ids: number[] = [];
  const least =
    topK < logits.length ? Float64Array.from(logits).sort()[logits.length - topK] : Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id] >= least && logits[id] > Number.NEGATIVE_INFINITY) ids.push(id);
  }
  const likeliestFirst = (a: number, b: number): number => logits[b] - logits[a] || a - b;
  // Ties with the last place are all still included.
  if (ids.length > topK) ids = ids.sort(likeliestFirst).slice(0, topK);
  const mass = ids.reduce((sum, id) => sum + weightOf(id), 0);
  let keptMass = mass;
  if (topP < 1) {
    // Tokens below this weight have less than 1 − topP together, so none of them is kept: few are left to be sorted.
    const negligible = ((1 - topP) * mass) / ids.length;
    ids = ids.filter((id) => weightOf(id) >= negligible).sort(likeliestFirst);
    let count = 0;
    for (keptMass = 0; count < ids.length && (count === 0 || keptMass < topP * mass); count++) {
      keptMass += weightOf(ids[count]);
    }
    ids = ids.slice(0, count);
  }
  return { ids, probabilities: ids.map((id) => weightOf(id) / keptMass) };
}

/** Draws a token from `tokenDistribution(logits, options)`; consumes one uniform number. */
export function sampleToken(logits: ArrayLike<number>, options: SamplingOptions, random: Random): number {
  const { ids, probabilities } = tokenDistribution(logits, options);
  let remaining = random.uniform();
  for (const [i, probability] of probabilities.entries()) {
    remaining -= probability;
    if (remaining < 0) return ids[i];
  }
  // Rounding can leave the probabilities a hair short of 1.
  return ids[ids.length - 1];
}
