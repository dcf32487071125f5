import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer, TokenizerConfig } from '../../../language/tokenizer/index.js';
import { bpeTokenizer } from './bpeTokenizer.js';

const encodings = ['gpt2', 'r50k_base', 'p50k_base', 'p50k_edit', 'cl100k_base', 'o200k_base'] as const;
const shipped = encodings.map((encoding) => loadTokenizer({ kind: 'tiktoken', encoding }, { baseDir: '.' }));
const trained = bpeTokenizer(['the cat sat on the mat; the cat sat.'], 290);
const all = [...shipped, trained];
afterAll(() => {
  for (const tokenizer of all) tokenizer.dispose();
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
