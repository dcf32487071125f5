/**
 * Repetition penalty θ: the logit z of every token that the result already holds becomes z / θ where z > 0 and z θ where
 * it is not. The prompt does not count: a caption's is the very token that ends it. Source: Keskar et al. 2019 (CTRL,
 * arXiv 1909.05858), section 4.1, in the form for logits of both signs that is in general use.
 *
 * @param logits [vocabSize]
 * @returns the same array where there is nothing to change, else a new one
 */
export function penalizeRepetition(logits: Float32Array, tokenIds: readonly number[], penalty: number): Float32Array {
  if (penalty === 1 || tokenIds.length === 0) return logits;
  const penalized = logits.slice();
  for (const id of new Set(tokenIds)) penalized[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
  return penalized;
}

/** −Infinity for some tokens; the same array where there are none. */
export function forbidTokens(logits: Float32Array, tokenIds: readonly number[]): Float32Array {
  if (tokenIds.length === 0) return logits;
  const allowed = logits.slice();
  for (const id of tokenIds) allowed[id] = Number.NEGATIVE_INFINITY;
  return allowed;
}
