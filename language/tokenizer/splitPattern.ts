/**
 * @file How text is split into words before any merge; no token ever spans two words.
 * Source: the pattern of GPT-2's encoder, https://github.com/openai/gpt-2/blob/master/src/encoder.py.
 */

/** GPT-2's split pattern in tiktoken's (Rust) regex syntax. */
export const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// JavaScript's \s includes U+FEFF and lacks U+0085; Rust's \s is the Unicode property, which is used explicitly here.
const WORDS = new RegExp(
  GPT2_PATTERN.replaceAll('[^\\s', '[^\\p{White_Space}')
    .replaceAll('\\s', '\\p{White_Space}')
    .replaceAll('\\S', '\\P{White_Space}'),
  'gu',
);

/** The words of a text by GPT-2's pattern, in order; their concatenation is the text. */
export function splitWords(text: string): string[] {
  return text.match(WORDS) ?? [];
}
