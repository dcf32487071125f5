import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPackedText } from '../../../language/data/index.js';
import { readTextDocuments, type Tokenizer } from '../../../language/tokenizer/index.js';
import { bpeTokenizer } from '../tokenizer/bpeTokenizer.js';
import { byteTokenizer, type TextFolder, textFolder } from './textFixture.js';

const END = 256;
let folder: TextFolder;
let cacheDir: string;
beforeEach(() => {
  folder = textFolder();
  cacheDir = join(folder.path, 'cache');
});
afterEach(() => folder.remove());

interface Settings {
  documents: 'file' | 'line';
  field: string;
}
const whole: Settings = { documents: 'file', field: 'text' };

/** The documents of the stream, read back. */
function stream(files: string[], settings = whole, tokenizer: Tokenizer = byteTokenizer) {
  const packed = openPackedText(files, settings, tokenizer, cacheDir);
  const starts = packed.documentStarts;
  const documents = Array.from({ length: packed.numDocuments }, (_, i) =>
    tokenizer.decode(packed.read(starts[i] + 1, starts[i + 1])),
  );
  const all = packed.read(0, packed.numTokens);
  packed.dispose();
  return { ...packed, documents, all };
}

describe('openPackedText', () => {
  it('reads a file as one document, or one per line that is not blank', () => {
    const path = folder.write('a.txt', '\ufeffone \r\n\n  \ntwo\nthree');
    expect(stream([path]).documents).toEqual(['one \r\n\n  \ntwo\nthree']);
    expect(stream([path], { ...whole, documents: 'line' }).documents).toEqual(['one ', 'two', 'three']);
  });

  it('reads JSONL by its name, one document per line, empty ones passed over', () => {
    const path = folder.write('a.jsonl', '{"text":"one\\ntwo"}\n\n{"text":"","n":1}\r\n{"n":2,"text":"three"}');
    expect(stream([path]).documents).toEqual(['one\ntwo', 'three']);
    const other = folder.write('b.ndjson', '{"body":"four"}');
    expect(stream([other], { ...whole, field: 'body' }).documents).toEqual(['four']);
  });

  it('starts every document and ends the stream with end of text', () => {
    const path = folder.write('a.txt', 'a\nb');
    const { all, numTokens, numDocuments } = stream([path], { ...whole, documents: 'line' });
    expect([...all]).toEqual([END, 97, END, 98, END]);
    expect([numTokens, numDocuments]).toEqual([5, 2]);
  });

  it('keeps any documents as they are', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1, maxLength: 8 }), (texts) => {
        const path = folder.write('any.jsonl', texts.map((text) => JSON.stringify({ text })).join('\n'));
        expect(stream([path]).documents).toEqual(texts);
      }),
      { numRuns: 30 },
    );
  });

  it('tokenizes a file larger than its buffers as it would the whole text', () => {
    const tokenizer = bpeTokenizer(['the quick brown fox, the lazy dog'], 280);
    const text = Array.from({ length: 60_000 }, (_, i) => `the quick fox ${i}, größer 好的.\n`).join('');
    const path = folder.write('large.txt', text);
    expect([...readTextDocuments(path, whole)].length).toBe(1);
    const { all, numTokens } = stream([path], whole, tokenizer);
    const expected = tokenizer.encode(text);
    expect(numTokens).toBe(expected.length + 2);
    expect(Buffer.from(all.buffer, 4, expected.byteLength).equals(Buffer.from(expected.buffer))).toBe(true);
    tokenizer.dispose();
  });

  it('takes two bytes per token up to 65536 ids and four beyond', () => {
    const path = folder.write('a.txt', 'abc');
    const wide = { ...byteTokenizer, vocabSize: 65_537, endOfTextId: 65_536, fingerprint: 'wide' };
    const edge = { ...byteTokenizer, vocabSize: 65_536, endOfTextId: 65_535, fingerprint: 'edge' };
    const size = (tokenizer: Tokenizer) => {
      const { folder: cached, all } = stream([path], whole, tokenizer);
      expect([...all]).toEqual([tokenizer.endOfTextId, 97, 98, 99, tokenizer.endOfTextId]);
      return statSync(join(cached, 'tokens.bin')).size;
    };
    expect([size(edge), size(wide)]).toEqual([10, 20]);
  });
});

describe('the cache', () => {
  it('is used again without a write, and keyed by content, tokenizer and settings', () => {
    const path = folder.write('a.txt', 'a\nb');
    const first = stream([path]);
    const written = () => statSync(join(first.folder, 'tokens.bin'), { bigint: true }).mtimeNs;
    const before = written();
    const encode = () => {
      throw new Error('tokenized again');
    };
    const second = stream([path], whole, { ...byteTokenizer, encode });
    expect([first.reused, second.reused, second.folder]).toEqual([false, true, first.folder]);
    expect(written()).toBe(before);

    const moved = folder.write('moved.txt', 'a\nb');
    expect(stream([moved]).reused).toBe(true);
    expect(stream([path], { ...whole, documents: 'line' }).folder).not.toBe(first.folder);
    expect(stream([path], whole, { ...byteTokenizer, fingerprint: 'other' }).folder).not.toBe(first.folder);
    folder.write('a.txt', 'a\nc');
    expect(stream([path]).documents).toEqual(['a\nc']);
  });

  it.each<[string, (cached: string) => void]>([
    ['tokens cut short', (cached) => truncateSync(join(cached, 'tokens.bin'), 4)],
    ['document lengths cut short', (cached) => truncateSync(join(cached, 'documents.bin'), 0)],
    ['a description that is not JSON', (cached) => writeFileSync(join(cached, 'meta.json'), '{')],
    [
      'a description of something else',
      (cached) => {
        const path = join(cached, 'meta.json');
        writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), key: 'x' }));
      },
    ],
  ])('is made again when it has %s', (_, spoil) => {
    const path = folder.write('a.txt', 'hello');
    spoil(stream([path]).folder);
    expect(stream([path])).toMatchObject({ reused: false, documents: ['hello'] });
    expect(stream([path]).reused).toBe(true);
  });

  it('has nothing left in it after a failure', () => {
    const path = folder.write('bad.jsonl', '{"text":"good"}\nnot json');
    expect(() => stream([path])).toThrow(/bad\.jsonl:2: expected a JSON object, got a line that is not JSON/);
    expect(existsSync(cacheDir) ? readdirSync(cacheDir) : []).toEqual([]);
  });
});

describe('bad input', () => {
  it.each<[string, string, RegExp]>([
    ['a JSONL line that is no object', '[1]', /x\.jsonl:1: expected a JSON object with a field 'text', got \[1\]/],
    ['a missing field', '\n{"txt":"a"}', /x\.jsonl:2: expected a text field 'text', got the fields: txt/],
    ['a field that is not text', '{"text":5}', /x\.jsonl:1: expected field 'text' to be a string, got 5/],
    ['an empty file', '', /x\.jsonl: empty dataset: expected at least one document/],
    ['nothing but blanks', '{"text":""}\n\n', /x\.jsonl: empty dataset/],
  ])('names file and line of %s', (_, content, message) => {
    const path = folder.write('x.jsonl', content);
    expect(() => stream([path])).toThrow(message);
  });

  it('says what is wrong with a file that cannot be read as text', () => {
    expect(() => stream([join(folder.path, 'none.txt')])).toThrow(/cannot read text .*none\.txt: no such file/);
    expect(() => stream([folder.path])).toThrow(/is a folder/);
    const binary = folder.write('binary.txt', Buffer.from([0x61, 0xff, 0x62]));
    expect(() => stream([binary])).toThrow(/binary\.txt: line 1: expected UTF-8/);
    const cut = folder.write('cut.txt', Buffer.from('é').subarray(0, 1));
    expect(() => stream([cut])).toThrow(/cut\.txt: line 1: expected UTF-8/);
    const empty = folder.write('empty.txt', '');
    expect(() => stream([empty])).toThrow(/empty\.txt: empty dataset/);
  });

  it('refuses a cache that is not a folder in one line', () => {
    const path = folder.write('a.txt', 'abc');
    writeFileSync(cacheDir, 'in the way');
    expect(() => stream([path])).toThrow(/cache is not a folder|cannot write .*cache/);
  });
});
