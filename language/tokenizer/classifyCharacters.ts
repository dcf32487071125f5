/**
 * @file The classes are asked of tiktoken's own regular expressions and not of JavaScript's: Node's version of Unicode differs
 * from release to release, and token ids must not.
 */
import { Tiktoken } from 'tiktoken/lite';

/** In the order of the bits of characterClasses.ts, from 1 on. */
const PATTERNS = ['\\p{L}', '\\p{N}', '\\s', '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'];

let matchers: readonly Tiktoken[] | undefined;

/** The classes of code points from `first` on, each a sum of bits. [count] */
export function classifyCharacters(first: number, count: number): Uint8Array {
  const classes = new Uint8Array(count);
  let text = '';
  for (let code = first; code < first + count; code++) if (!isSurrogate(code)) text += String.fromCodePoint(code);
  matchers ??= PATTERNS.map((pattern) => new Tiktoken(SINGLE_BYTES, {}, pattern));
  for (const [place, tiktoken] of matchers.entries()) {
    // tiktoken encodes what the pattern matches and passes over the rest; every byte is a token.
    const matched = Buffer.from(tiktoken.encode_ordinary(text)).toString('utf8');
    for (const character of matched) classes[(character.codePointAt(0) as number) - first] |= 1 << place;
  }
  return classes;
}

function isSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint < 0xe000;
}

/** 256 ranks, each that of the byte of its number. */
const SINGLE_BYTES = `! 0 ${Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]).toString('base64')).join(' ')}`;
