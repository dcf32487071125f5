import { UserError } from '#src/errors';
import { countCaption, MAX_NGRAM } from './countedCaption.js';

/**
 * Distinct n-grams over all n-grams of a set of tokenized captions, in [0, 1]; 0 if there are none. A low value means that
 * a few phrases are repeated. It falls with the number of captions: compare only sets of equal size.
 *
 * Source: Li et al. 2016 (arXiv 1510.03055).
 *
 * @throws UserError when n is not 1, 2, 3 or 4
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
