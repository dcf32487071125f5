import type { Tokenizer } from '../tokenizer/index.js';

/** The text of an unfinished result, without a last character whose bytes are not all there yet. */
export function textSoFar(tokenizer: Tokenizer, tokenIds: readonly number[]): string {
  return tokenizer.decode(tokenIds).replace(/\uFFFD+$/, '');
}
