import { UserError } from '#src/errors';
import { countCaption, MAX_NGRAM } from './countedCaption.js';

/**
 * Distinct n-grams over all n-grams of a set of tokenized captions, in [0, 1]; 0 when there is none. Low means that
 * the same few phrases are said of everything. Falls with the number of captions: compare sets of one size.
 *
 * Source: Li et al. 2016 (arXiv 1510.03055).
 *
 * @throws UserError when n is not 1, 2, 3 or 4
 * @example
 * ```ts
 * distinctN(['a red dot', 'a blue dot'], 2); // 1: all four pairs of words differ
 * ```
 */
export function distinctN(captions: Iterable<string>, n: number): number {
  if (!Number.isInteger(n) || n < 1 || n > MAX_NGRAM) {
    throw new UserError(`distinctN: expected n from 1 to ${MAX_NGRAM}, got ${n}`);
  }
  const seen = new Set<string>();
  let total = 0;
  for (const caption of captions) {
    for (const [ngram, count] of countCaption(caption).ngrams[n - 1]) {
      seen.add(ngram);
      total += count;
    }
  }
  return total === 0 ? 0 : seen.size / total;
}
