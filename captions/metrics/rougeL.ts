import type { CaptionPair } from './pairedCaptions.js';

/** How much more recall weighs than precision. */
const BETA = 1.2;

/**
 * ROUGE-L of one image, in [0, 1]; that of a set is the mean over its images.
 *
 *     P = max_r LCS(h, r) / |h|      R = max_r LCS(h, r) / |r|      F = (1 + β²) P R / (R + β² P), β = 1.2
 *
 * P and R may come from different references. Captions are split at single spaces, so a double space makes an empty
 * token, and an empty caption is one empty token.
 *
 * Source: Lin 2004; details as in pycocoevalcap's `rouge.py`.
 */
export function rougeL({ prediction, references }: CaptionPair): number {
  const predicted = prediction.text.split(' ');
  let precision = 0;
  let recall = 0;
  for (const { text } of references) {
    const referenced = text.split(' ');
    const common = longestCommonSubsequence(predicted, referenced);
    precision = Math.max(precision, common / predicted.length);
    recall = Math.max(recall, common / referenced.length);
  }
  if (precision === 0 || recall === 0) return 0;
  return ((1 + BETA * BETA) * precision * recall) / (recall + BETA * BETA * precision);
}

/** Length of the longest sequence of words that both have in this order, gaps allowed. */
function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  let previous = new Uint32Array(b.length + 1);
  let current = new Uint32Array(b.length + 1);
  for (const word of a) {
    for (let j = 1; j <= b.length; j++) {
      current[j] = word === b[j - 1] ? previous[j - 1] + 1 : Math.max(previous[j], current[j - 1]);
    }
    [previous, current] = [current, previous];
  }
  return previous[b.length];
}
