/** @file What a character is to a split pattern. */
import { classifyCharacters } from './classifyCharacters.js';

/** \p{L} */
export const LETTER = 1;
/** \p{N} */
export const NUMBER = 2;
/** \s */
export const SPACE = 4;
/** [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], what a word of o200k begins with. */
export const UPPER = 8;
/** [\p{Ll}\p{Lm}\p{Lo}\p{M}], what a word of o200k ends with. */
export const LOWER = 16;
/** Set for every character looked up before. */
const KNOWN = 128;

const PAGE = 4096;
const table = new Uint8Array(0x110000);

/** The classes of a code point, as a sum of bits; a lone surrogate has those of U+FFFD: none. */
export function classesOf(codePoint: number): number {
  const known = table[codePoint];
  return known === 0 ? classifyPage(codePoint) : known;
}

function classifyPage(codePoint: number): number {
  const first = codePoint - (codePoint % PAGE);
  table.set(classifyCharacters(first, PAGE), first);
  for (let code = first; code < first + PAGE; code++) table[code] |= KNOWN;
  return table[codePoint];
}

/** The code point that ends before `end`; half a pair stands for itself. */
export function codePointBefore(text: string, end: number): number {
  const pair = end >= 2 ? (text.codePointAt(end - 2) as number) : 0;
  return pair > 0xffff ? pair : text.charCodeAt(end - 1);
}
