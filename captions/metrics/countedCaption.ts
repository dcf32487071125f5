/** The longest n-grams that BLEU and CIDEr use. */
export const MAX_NGRAM = 4;

/** A tokenized caption with its n-grams counted. */
export interface CountedCaption {
  /** Tokens separated by spaces. */
  readonly text: string;
  readonly words: readonly string[];
  readonly numWords: number;
  /** Entry `n - 1` maps each n-gram (words joined by one space) to its count, for n = 1..4. */
  readonly ngrams: readonly ReadonlyMap<string, number>[];
}

/** Counts the n-grams, n = 1..4, of the whitespace-separated words of a caption. */
export function countCaption(text: string): CountedCaption {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const ngrams = Array.from({ length: MAX_NGRAM }, () => new Map<string, number>());
  for (let start = 0; start < words.length; start++) {
    let ngram = '';
    for (let n = 0; n < MAX_NGRAM && start + n < words.length; n++) {
      ngram = n === 0 ? words[start] : `${ngram} ${words[start + n]}`;
      ngrams[n].set(ngram, (ngrams[n].get(ngram) ?? 0) + 1);
    }
  }
  return { text, words, numWords: words.length, ngrams };
}
