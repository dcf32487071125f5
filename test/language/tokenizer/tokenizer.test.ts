import { createRequire } from 'node:module';
import fc from 'fast-check';
import { Tiktoken } from 'tiktoken/lite';
import { afterAll, describe, expect, it } from 'vitest';
import {
  bpeEncoding,
  createTokenizer,
  loadTokenizer,
  TokenizerConfig,
  trainBpe,
} from '../../../language/tokenizer/index.js';
import { bpeTokenizer } from './bpeTokenizer.js';

const encodings = ['gpt2', 'r50k_base', 'p50k_base', 'p50k_edit', 'cl100k_base', 'o200k_base'] as const;
const shipped = encodings.map((encoding) => loadTokenizer({ kind: 'tiktoken', encoding }, { baseDir: '.' }));
const trained = bpeTokenizer(['the cat sat on the mat; the cat sat.'], 290);
const all = [...shipped, trained];
afterAll(() => {
  for (const tokenizer of all) tokenizer.dispose();
});

interface Shipped {
  readonly bpe_ranks: string;
  readonly special_tokens: Record<string, number>;
  readonly pat_str: string;
}

const require = createRequire(import.meta.url);

/** Text on which the split patterns differ, or what they match begins and ends in unexpected places. */
const parts = fc.constantFrom(
  ...["'s", "'S", "'ſ", "'re", "'LL", "'Ve", "'t", "'m", "'D", "'", '’s', 's', 'e', 'the', 'Hello', ' world', '_'],
  ...[' ', '  ', '    ', '\t', '\n', '\r\n', '\r', '\u0085', '\u00a0', '\u3000', '\u2028', '\ufeff', '\u200b', '\0'],
  ...[
    'a',
    'A',
    'ABC',
    'aBc',
    'ǅ',
    'ʰ',
    'ª',
    'İ',
    'ß',
    'K',
    '好',
    '漢字',
    'ไทย',
    'ກຂ',
    '한국어',
    'שלום',
    'مرحبا',
    '\u064b',
  ],
  ...['e\u0301', '\u0301', '\u0301\u0301', '\u1cf3', '𝐀', '𝟙', '𐐀', '𐐨', '\u{88f}', '\u{33479}', '\u{11de0}'],
  ...['1', '12', '1234', '१२', 'Ⅳ', '½', '.', '/', '//', '!!!', '---', '\ud800', '\udc00', '\ufffd', '😀', '👨‍👩‍👧'],
);
const tricky = fc
  .array(fc.tuple(parts, fc.constantFrom(1, 1, 1, 2, 9, 40)), { maxLength: 30 })
  .map((all) => all.map(([part, times]) => part.repeat(times)).join(''));
const anyText = fc.oneof({ weight: 3, arbitrary: tricky }, fc.string({ unit: 'binary', maxLength: 30 }));

describe('the ids', () => {
  it.each(encodings)('of %s are those of tiktoken', (name) => {
    const { bpe_ranks, special_tokens, pat_str } = require(`tiktoken/encoders/${name}.json`) as Shipped;
    const tiktoken = new Tiktoken(bpe_ranks, special_tokens, pat_str);
    const tokenizer = shipped[encodings.indexOf(name)];
    fc.assert(
      fc.property(anyText, (source) => {
        const ids = tokenizer.encode(source);
        expect([...ids]).toEqual([...tiktoken.encode_ordinary(source)]);
        expect(Buffer.from(tokenizer.decode(ids))).toEqual(Buffer.from(tiktoken.decode(Uint32Array.from(ids))));
      }),
      { numRuns: 400 },
    );
    tiktoken.free();
  });

  it('of a tokenizer of our own are those of tiktoken', () => {
    const model = trainBpe({ texts: ['the cat sat on the mat; aaaa abababab 好好 the cat sat.'], vocabSize: 300 });
    const { ranks, specialTokens, pattern } = bpeEncoding(model);
    const tiktoken = new Tiktoken(ranks, { ...specialTokens }, pattern);
    const tokenizer = createTokenizer(bpeEncoding(model));
    const known = fc.array(fc.constantFrom('the', ' cat', 'aaa', 'ab', 'b', '好', ' '), { maxLength: 40 });
    fc.assert(
      fc.property(
        fc.oneof(
          known.map((words) => words.join('')),
          anyText,
        ),
        (source) => {
          expect([...tokenizer.encode(source)]).toEqual([...tiktoken.encode_ordinary(source)]);
        },
      ),
      { numRuns: 400 },
    );
    tiktoken.free();
  });
});

describe('a word of up to a million bytes', () => {
  const letters = Array.from({ length: 1e6 }, (_, i) => 'ACGT'[(i * i * 7 + (i >> 3)) % 4]).join('');
  const texts = {
    'one letter': 'a'.repeat(1e6),
    blanks: `x${' '.repeat(1e6)}y`,
    'line ends': '\n'.repeat(1e6),
    punctuation: '^'.repeat(1e6),
    'four letters': letters,
    'three-byte letters': '好'.repeat(333_333),
  };

  it.each(Object.entries(texts))('of %s is encoded by every tokenizer, and decoded again', (_, source) => {
    for (const tokenizer of [...shipped, trained]) {
      // n log n: a second or two; n² would be hours, and minutes for a fifth.
      const word = tokenizer === trained ? source : source.slice(0, 200_000);
      const start = performance.now();
      const ids = tokenizer.encode(word);
      expect(performance.now() - start).toBeLessThan(20_000);
      expect(tokenizer.decode(ids) === word).toBe(true);
    }
  });

  it.each(Object.entries(texts))('of %s can be trained on', (_, source) => {
    const start = performance.now();
    const { tokens } = trainBpe({ texts: [source], vocabSize: 400 });
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(tokens.length).toBeGreaterThan(260);
  });
});

describe('Tokenizer', () => {
  it.each(all)('$name decodes what it encoded', (tokenizer) => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(text, (source) => {
        expect(tokenizer.decode(tokenizer.encode(source))).toBe(source);
      }),
    );
  });

  it.each(all)('$name keeps a byte-order mark and is not misled by special-token text', (tokenizer) => {
    const source = '\ufeffa <|endoftext|> b';
    const ids = tokenizer.encode(source);
    expect([...ids]).not.toContain(tokenizer.endOfTextId);
    expect(tokenizer.decode(ids)).toBe(source);
    expect(tokenizer.decode([tokenizer.endOfTextId])).toBe('<|endoftext|>');
  });

  it('has the ids of the published encodings', () => {
    const [gpt2, , , , cl100k, o200k] = shipped;
    expect([...gpt2.encode('hello world')]).toEqual([31373, 995]);
    expect([...cl100k.encode('hello world')]).toEqual([15339, 1917]);
    expect([...o200k.encode('hello world')]).toEqual([24912, 2375]);
    expect(shipped.map(({ vocabSize }) => vocabSize)).toEqual([50257, 50257, 50281, 50284, 100277, 200019]);
    expect(shipped.map(({ endOfTextId }) => endOfTextId)).toEqual([50256, 50256, 50256, 50256, 100257, 199999]);
  });

  it('decodes an id the encoding leaves unused as U+FFFD, and works afterwards', () => {
    const cl100k = shipped[4];
    expect(cl100k.decode([15339, 100256, 1917])).toBe('hello\ufffd world');
    expect(cl100k.decode([15339])).toBe('hello');
  });

  it.each([-1, 0.5, 1e9, Number.NaN])('refuses the id %d', (id) => {
    expect(() => trained.decode([id])).toThrow(/decode: expected ids in \[0, \d+\), got/);
  });

  it('encodes a lone surrogate as U+FFFD', () => {
    expect(trained.decode(trained.encode('a\ud800b'))).toBe('a\ufffdb');
  });

  it('has a fingerprint that tells encodings apart, and only by what they do', () => {
    const [gpt2, r50k, p50k] = shipped;
    expect(gpt2.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(r50k.fingerprint).toBe(gpt2.fingerprint);
    expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(all.length - 1);
    expect(p50k.fingerprint).not.toBe(gpt2.fingerprint);
  });

  it('merges what it learned', () => {
    expect(trained.encode(' cat sat')).toHaveLength(2);
    expect(trained.encode('cat')).not.toContain(trained.endOfTextId);
  });
});

describe('TokenizerConfig', () => {
  it('accepts the two kinds and nothing else', () => {
    expect(TokenizerConfig.parse({ kind: 'bpe', path: 'tokenizer.json' }).kind).toBe('bpe');
    expect(TokenizerConfig.safeParse({ kind: 'tiktoken', encoding: 'gpt5' }).success).toBe(false);
    expect(TokenizerConfig.safeParse({ kind: 'bpe', path: 'a', encoding: 'gpt2' }).success).toBe(false);
  });
});
