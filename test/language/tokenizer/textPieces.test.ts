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
    ),
  )
  .map((parts) => parts.join(''));
const anyText = fc.oneof(prose, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));

describe('textPieces', () => {
  it('keeps every character, in order', () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.integer({ min: 1, max: 30 }), (chunks, minLength) => {
        expect([...textPieces(chunks, minLength)].join('')).toBe(chunks.join(''));
      }),
    );
  });

  it('cuts only where the encoding of the pieces is the encoding of the whole, for each split pattern', () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.integer({ min: 1, max: 12 }), (chunks, minLength) => {
        for (const tokenizer of tokenizers) {
          const pieces = [...textPieces(chunks, minLength)].flatMap((piece) => [...tokenizer.encode(piece)]);
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
        100,
      ),
    ];
    expect(pieces.length).toBeGreaterThan(300);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(200);
  });

  it('leaves text that has no safe place in one piece', () => {
    expect([...textPieces(['aaa', 'bbb', 'ccc'], 2)]).toEqual(['aaabbbccc']);
  });
});
