/**
 * @file What a character is to a split pattern. The classes are asked of tiktoken's own regular expressions and not of
 * JavaScript's: Node's version of Unicode differs from release to release, and token ids must not.
 */
import { Tiktoken } from 'tiktoken/lite';

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

const PATTERNS: readonly (readonly [bit: number, pattern: string])[] = [
  [LETTER, '\\p{L}'],
  [NUMBER, '\\p{N}'],
  [SPACE, '\\s'],
  [UPPER, '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'],
  [LOWER, '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'],
];

const PAGE = 4096;
const table = new Uint8Array(0x110000);
let matchers: readonly { readonly bit: number; readonly tiktoken: Tiktoken }[] | undefined;

/** The classes of a code point, as a sum of bits; a lone surrogate has those of U+FFFD: none. */
export function classesOf(codePoint: number): number {
  const known = table[codePoint];
  return known === 0 ? classifyPage(codePoint) : known;
}

function classifyPage(codePoint: number): number {
  const first = codePoint - (codePoint % PAGE);
  table.fill(KNOWN, first, first + PAGE);
  let page = '';
  for (let code = first; code < first + PAGE; code++) if (!isSurrogate(code)) page += String.fromCodePoint(code);
  matchers ??= PATTERNS.map(([bit, pattern]) => ({ bit, tiktoken: new Tiktoken(SINGLE_BYTES, {}, pattern) }));
  for (const { bit, tiktoken } of matchers) {
    // tiktoken encodes what the pattern matches and passes over the rest; every byte is a token.
    const matched = Buffer.from(tiktoken.encode_ordinary(page)).toString('utf8');
    for (const character of matched) table[character.codePointAt(0) as number] |= bit;
  }
  return table[codePoint];
}

/** The code point that ends before `end`; half a pair stands for itself. */
export function codePointBefore(text: string, end: number): number {
  const pair = end >= 2 ? (text.codePointAt(end - 2) as number) : 0;
  return pair > 0xffff ? pair : text.charCodeAt(end - 1);
}

function isSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint < 0xe000;
}

/** 256 ranks, each that of the byte of its number. */
const SINGLE_BYTES = `! 0 ${Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]).toString('base64')).join(' ')}`;
