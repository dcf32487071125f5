import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitWords, trainBpe } from '../../../language/tokenizer/index.js';

const text = (tokens: readonly Uint8Array[]) => tokens.map((bytes) => Buffer.from(bytes).toString());
const shakespeare = join(process.env.TOKENFUSE_SHARED ?? '../shared', 'data/text/tinyshakespeare.txt');

/** The textbook algorithm: count every pair afresh for every merge. */
function trainSlowly(source: string, numTokens: number, minFrequency: number): string[] {
  const tokens = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  let words = splitWords(source).map((word) => [...Buffer.from(word)]);
  while (tokens.length < numTokens) {
    const counts = new Map<string, number>();
    for (const ids of words) {
      for (let i = 1; i < ids.length; i++) {
        const pair = `${ids[i - 1]} ${ids[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const ranked = [...counts]
      .map(([pair, count]) => ({ pair: pair.split(' ').map(Number), count }))
      .sort((a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1]);
    if (ranked.length === 0 || ranked[0].count < minFrequency) break;
    const [left, right] = ranked[0].pair;
    const spelling = tokens[left] + tokens[right];
    if (!tokens.includes(spelling)) tokens.push(spelling);
    const merged = tokens.indexOf(spelling);
    words = words.map((ids) => {
      const result: number[] = [];
      for (let i = 0; i < ids.length; i++) {
        const both = ids[i] === left && ids[i + 1] === right;
        result.push(both ? merged : ids[i]);
        if (both) i++;
      }
      return result;
    });
  }
  return tokens;
}

describe('splitWords', () => {
  it('loses nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (source) => {
        expect(splitWords(source).join('')).toBe(source);
      }),
    );
  });

  it('splits as GPT-2 does', () => {
    expect(splitWords("We're  3 dogs!\n")).toEqual(['We', "'re", ' ', ' 3', ' dogs', '!', '\n']);
  });
});

describe('trainBpe', () => {
  it('has the 256 bytes first, then the most frequent pairs', () => {
    const { tokens } = trainBpe({ texts: ['abab abab cd'], vocabSize: 260 });
    expect(tokens.slice(0, 256).map((bytes) => bytes[0])).toEqual(Array.from({ length: 256 }, (_, i) => i));
    expect(text(tokens.slice(256))).toEqual(['ab', 'abab']);
  });

  it('breaks ties by the lowest ids', () => {
    const first = (...texts: string[]) => text(trainBpe({ texts, vocabSize: 258 }).tokens.slice(256));
    expect(first('zx', 'ba', 'zx', 'ba')).toEqual(['ba']);
    expect(first('bz', 'ba', 'bz', 'ba')).toEqual(['ba']);
    expect(first('zx', 'ba', 'zx', 'ba', 'zx')).toEqual(['zx']);
  });

  it('equals the textbook algorithm', () => {
    const source = fc
      .array(fc.constantFrom('a', 'b', 'c', 'ab', 'abc', 'aaaa', 'abababa', ' ', '    ', '\n', 'é', '1'))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(source, fc.integer({ min: 1, max: 3 }), (words, minFrequency) => {
        fc.pre(words.length > 0);
        const { tokens } = trainBpe({ texts: [words], vocabSize: 281, minFrequency });
        const slow = trainSlowly(words, 280, minFrequency);
        expect(tokens.map((bytes) => Buffer.from(bytes).toString('latin1'))).toEqual(slow);
      }),
      { numRuns: 200 },
    );
  });

  it('never merges across a word boundary', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (source) => {
        const words = splitWords(source.repeat(3)).map((word) => Buffer.from(word).toString('latin1'));
        const { tokens } = trainBpe({ texts: [source.repeat(3)], vocabSize: 400 });
        for (const bytes of tokens.slice(256)) {
          const spelling = Buffer.from(bytes).toString('latin1');
          expect(words.some((word) => word.includes(spelling))).toBe(true);
        }
      }),
    );
  });

  it('gives the same model for the same text', () => {
    const options = { texts: ['one two two three three three'], vocabSize: 270 };
    expect(trainBpe(options)).toEqual(trainBpe(options));
    expect(trainBpe(options).trainedOn).not.toBe(trainBpe({ ...options, texts: ['one'] }).trainedOn);
  });

  it('stops early rather than merge a pair rarer than minFrequency', () => {
    expect(trainBpe({ texts: ['abcdef'], vocabSize: 300 }).tokens).toHaveLength(256);
    expect(trainBpe({ texts: ['abcdef'], vocabSize: 300, minFrequency: 1 }).tokens).toHaveLength(261);
  });

  it('refuses a vocabulary too small for the bytes, and no text', () => {
    expect(() => trainBpe({ texts: ['a'], vocabSize: 256 })).toThrow(/vocabSize: expected an integer from 257/);
    expect(() => trainBpe({ texts: ['a'], vocabSize: 300, minFrequency: 0 })).toThrow(/minFrequency: expected/);
    expect(() => trainBpe({ texts: [''], vocabSize: 300 })).toThrow(/expected some text, got none/);
  });

  it.skipIf(!existsSync(shakespeare))('trains 2048 tokens on 1.1 MB in seconds', () => {
    const start = performance.now();
    const { tokens } = trainBpe({ files: [shakespeare], vocabSize: 2048 });
    expect(tokens).toHaveLength(2047);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
