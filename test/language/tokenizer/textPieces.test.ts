import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer, textPieces } from '../../../language/tokenizer/index.js';

const tokenizers = (['gpt2', 'cl100k_base', 'o200k_base'] as const).map((encoding) =>
  loadTokenizer({ kind: 'tiktoken', encoding }, { baseDir: '.' }),
);
afterAll(() => {
  for (const tokenizer of tokenizers) tokenizer.dispose();
});

const prose = fc
  .array(
    fc.constantFrom(
      'it',
      "'s",
      "'",
      ' ',
      '  ',
      '\n',
      '\r\n',
      '.',
      ',',
      '/',
      '12345',
      'é',
      'e\u0301',
      '好',
      '。',
      '😀',
      'A',
      '\t',
      '_',
      '𝐀',
      '\ud835',
      '\udc00',
      'ʰ',
      '\u{33479}',
    ),
  )
  .map((parts) => parts.join(''));
const anyText = fc.oneof(prose, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));

describe('textPieces', () => {
  it('keeps every character, in order', () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.integer({ min: 1, max: 30 }), (chunks, minLength) => {
        expect([...textPieces(chunks, { minLength })].join('')).toBe(chunks.join(''));
      }),
    );
  });

  it('cuts only where the encoding of the pieces is the encoding of the whole, for each split pattern', () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.integer({ min: 1, max: 12 }), (chunks, minLength) => {
        for (const tokenizer of tokenizers) {
          const pieces = [...textPieces(chunks, { minLength })].flatMap((piece) => [...tokenizer.encode(piece)]);
          expect(pieces).toEqual([...tokenizer.encode(chunks.join(''))]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('cuts ordinary text soon after the length asked for', () => {
    const sentence = 'The quick brown fox jumps over the lazy dog.\n';
    const pieces = [
      ...textPieces(
        Array.from({ length: 1000 }, () => sentence),
        { minLength: 100 },
      ),
    ];
    expect(pieces.length).toBeGreaterThan(300);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(200);
  });

  it('leaves text that has no safe place in one piece', () => {
    expect([...textPieces(['aaa', 'bbb', 'ccc'], { minLength: 2 })]).toEqual(['aaabbbccc']);
  });

  it('finds a place to cut in a chunk that came before there was enough text', () => {
    expect([...textPieces(['a b', 'ccc', 'ddd', ' ee'], { minLength: 8 })]).toEqual(['a', ' bcccddd', ' ee']);
    expect([...textPieces(['a b', 'cccccc', 'd'], { minLength: 8 })]).toEqual(['a', ' bccccccd']);
  });

  it('takes time in the length of a text that it cannot cut, not in its square, and gives up in one line', () => {
    const chunk = 'x'.repeat(1 << 16);
    const chunks = (count: number) => Array.from({ length: count }, () => chunk);
    const start = performance.now();
    expect([...textPieces(chunks(128))].map(({ length }) => length)).toEqual([128 << 16]);
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(() => [...textPieces(chunks(1100), { where: 'data.bin' })]).toThrow(
      /^data\.bin: expected words with blanks between them, got more than 67108864 characters without a blank/,
    );
  });
});
