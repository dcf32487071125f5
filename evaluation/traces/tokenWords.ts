import type { Tokenizer } from '#language';

/** A word of a text and the tokens that end in it. */
export interface TokenWord {
  readonly word: string;
  /** Positions in the token ids. */
  readonly tokens: readonly number[];
}

/**
 * The words of a tokenized text between white space; a token belongs to the word in which its last character stands, and
 * a word in which no token ends is left out.
 */
export function tokenWords(ids: readonly number[], tokenizer: Tokenizer): TokenWord[] {
  const text = tokenizer.decode(ids);
  const ends = ids.map((_, t) => tokenizer.decode(ids.slice(0, t + 1)).trimEnd().length - 1);
  return [...text.matchAll(/\S+/g)]
    .map(({ 0: word, index }) => ({
      word,
      tokens: [...ends.keys()].filter((t) => ends[t] >= index && ends[t] < index + word.length),
    }))
    .filter(({ tokens }) => tokens.length > 0);
}
