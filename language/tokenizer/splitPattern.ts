/**
 * @file How text is split into words before any merge; no token ever spans two words. Each pattern of tiktoken's encodings is
 * a function here that finds the end of the next word in time linear in its length. tiktoken's own matcher gives up after a
 * million steps of backtracking, and JavaScript's runs out of stack.
 */
import { classesOf, codePointBefore, LETTER, LOWER, NUMBER, SPACE, UPPER } from './characterClasses.js';

/** GPT-2's split pattern in tiktoken's (Rust) regex syntax; https://github.com/openai/gpt-2/blob/master/src/encoder.py */
export const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Of cl100k_base. */
const CL100K_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Of o200k_base. */
const O200K_PATTERN =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  '\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** The end of the word that begins at `start`, a position before the end of the text. */
export type WordEnd = (text: string, start: number) => number;

/**
 * The splitter of a pattern.
 *
 * @throws RangeError for a pattern other than the three above
 */
export function wordEndOf(pattern: string): WordEnd {
  if (pattern === GPT2_PATTERN) return gpt2WordEnd;
  if (pattern === CL100K_PATTERN) return cl100kWordEnd;
  if (pattern === O200K_PATTERN) return o200kWordEnd;
  throw new RangeError(`split pattern: expected that of gpt2, cl100k_base or o200k_base, got ${pattern}`);
}

/** The words of a text by GPT-2's pattern, in order; their concatenation is the text. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = gpt2WordEnd(text, start);
    words.push(text.slice(start, end));
    start = end;
  }
  return words;
}

function gpt2WordEnd(text: string, start: number): number {
  const apostrophe = contractionEnd(text, start, false);
  if (apostrophe > start) return apostrophe;
  const from = start + (text[start] === ' ' ? 1 : 0);
  for (const kind of [LETTER, NUMBER]) {
    const end = runEnd(text, from, kind);
    if (end > from) return end;
  }
  const end = otherEnd(text, from);
  return end > from ? end : spacesEnd(text, start);
}

function cl100kWordEnd(text: string, start: number): number {
  const apostrophe = contractionEnd(text, start, true);
  if (apostrophe > start) return apostrophe;
  const from = prefixEnd(text, start);
  const letters = runEnd(text, from, LETTER);
  return letters > from ? letters : restEnd(text, start, '\r\n');
}

function o200kWordEnd(text: string, start: number): number {
  const from = prefixEnd(text, start);
  // The prefix is optional, and a mark can be a prefix or a part of the word.
  for (const begin of from > start ? [from, start] : [start]) {
    const end = casedEnd(text, begin);
    if (end !== undefined) return contractionEnd(text, end, true);
  }
  const upper = runEnd(text, from, UPPER);
  if (upper > from) return contractionEnd(text, upper, true);
  return restEnd(text, start, '\r\n/');
}

/** `[^\r\n\p{L}\p{N}]?` */
function prefixEnd(text: string, start: number): number {
  const code = text.codePointAt(start) as number;
  return code === CR || code === LF || (classesOf(code) & (LETTER | NUMBER)) !== 0 ? start : start + unitsOf(code);
}

/** `[UPPER]*[LOWER]+`: the longest run of upper letters after which at least one lower one is left. */
function casedEnd(text: string, start: number): number | undefined {
  const upper = runEnd(text, start, UPPER);
  const lower = runEnd(text, upper, LOWER);
  if (lower > upper) return lower;
  // Letters without case and marks are both: the last of them ends the word, and plain capitals behind it are left over.
  for (let end = upper; end > start; ) {
    const code = codePointBefore(text, end);
    if ((classesOf(code) & LOWER) !== 0) return end;
    end -= unitsOf(code);
  }
  return undefined;
}

/** `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[closing]*|\s*[\r\n]+|\s+(?!\S)|\s+` */
function restEnd(text: string, start: number, closing: string): number {
  let digits = start;
  for (let count = 0; count < 3 && digits < text.length; count++) {
    const code = text.codePointAt(digits) as number;
    if ((classesOf(code) & NUMBER) === 0) break;
    digits += unitsOf(code);
  }
  if (digits > start) return digits;
  const from = start + (text[start] === ' ' ? 1 : 0);
  let other = otherEnd(text, from);
  if (other > from) {
    while (other < text.length && closing.includes(text[other])) other++;
    return other;
  }
  const spaces = runEnd(text, start, SPACE);
  for (let end = spaces; end > start; end--) {
    const code = text.charCodeAt(end - 1);
    if (code === CR || code === LF) return end;
  }
  return spacesEnd(text, start, spaces);
}

/** `\s+(?!\S)|\s+`: before a word the last blank is left to it. */
function spacesEnd(text: string, start: number, end = runEnd(text, start, SPACE)): number {
  // Every blank is one unit long.
  return end < text.length && end - start > 1 ? end - 1 : end;
}

/** The end of the characters from `start` on that have one of `classes`. */
function runEnd(text: string, start: number, classes: number): number {
  let end = start;
  while (end < text.length) {
    const code = text.codePointAt(end) as number;
    if ((classesOf(code) & classes) === 0) break;
    end += unitsOf(code);
  }
  return end;
}

/** `[^\s\p{L}\p{N}]*` */
function otherEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length) {
    const code = text.codePointAt(end) as number;
    if ((classesOf(code) & (LETTER | NUMBER | SPACE)) !== 0) break;
    end += unitsOf(code);
  }
  return end;
}

/** `'s|'t|'re|'ve|'m|'ll|'d`; `start` where there is none. */
function contractionEnd(text: string, start: number, anyCase: boolean): number {
  if (text[start] !== "'") return start;
  const letters = text.slice(start + 1, start + 3);
  // ſ is s when case is ignored.
  const given = anyCase ? letters.toLowerCase().replaceAll('ſ', 's') : letters;
  if (/^(?:re|ve|ll)/.test(given)) return start + 3;
  return /^[stmd]/.test(given) ? start + 2 : start;
}

const CR = 13;
const LF = 10;

function unitsOf(codePoint: number): number {
  return codePoint > 0xffff ? 2 : 1;
}
