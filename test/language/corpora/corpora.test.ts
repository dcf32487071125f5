import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textOf } from '../../../language/corpora/corpus.js';
import { dictNumber, gcide } from '../../../language/corpora/gcide.js';
import { mobyDick, stateOfTheUnion } from '../../../language/corpora/stdlibBooks.js';
import { synonymsOf, wordNet } from '../../../language/corpora/wordNet.js';
import { userErrorLine } from '../../support/thrown.js';

const file = (path: string, content: string | Buffer) => ({ path, bytes: Buffer.from(content as string) });

describe('WordNet', () => {
  it('gives a set of synonyms as text', () => {
    const line =
      '00001740 29 v 04 breathe 0 take_a_breath 0 respire 0 suspire 3 003 * 00005041 v 0000 01 + 02 00 | draw air into the lungs; "I can breathe"  ';
    expect(synonymsOf(line)).toBe(
      'breathe, take a breath, respire, suspire (verb): draw air into the lungs; "I can breathe"',
    );
    expect(synonymsOf('00003699 00 s 01 galore(ip) 0 000 | in great numbers | or more')).toBe(
      'galore (adjective): in great numbers | or more',
    );
    const many = Array.from({ length: 17 }, (_, i) => `w${i} 0`).join(' ');
    expect(synonymsOf(`00000001 03 n 11 ${many} 000 | many`)).toContain('w15, w16 (noun): many');
  });

  it('leaves out the notice', () => {
    const notice = '  28 any associated documentation | shall remain with Princeton';
    const files = [file('dict/data.noun', `${notice}\n00000001 03 n 01 entity 0 000 | that which exists\n`)];
    expect([...wordNet.documents(files)]).toEqual(['entity (noun): that which exists']);
    expect(['dict/data.noun', 'dict/index.noun', 'dict/data.adv'].map(wordNet.holdsText)).toEqual([true, false, true]);
  });
});

it('books come file by file, in the order of their numbers', () => {
  const files = ['data/chapter_10.txt', 'data/chapter_2.txt', 'data/chapter_1.txt'].map((path) => file(path, path));
  expect([...mobyDick.documents(files)]).toEqual(['data/chapter_1.txt', 'data/chapter_2.txt', 'data/chapter_10.txt']);
  expect(['data/chapter_1.txt', 'data/chapter_1.json', 'data/data.txt'].map(mobyDick.holdsText)).toEqual([
    true,
    false,
    false,
  ]);
  expect(stateOfTheUnion.holdsText('data/1790_george_washington_n.txt')).toBe(true);
});

describe('gcide', () => {
  it('gives every entry once, without those about the dictionary', () => {
    const [about, abacus, zero] = ['About.\n', 'Abacus \\Ab"a*cus\\, n.\n', 'Zéro: nought.\n'];
    const text = Buffer.concat([Buffer.from(about), Buffer.from(abacus), Buffer.from(zero, 'latin1')]);
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const at = (number: number): string => digits[number];
    const entry = (headword: string, start: number, length: number) => `${headword}\t${at(start)}\t${at(length)}`;
    const index = [
      entry('00-database-info', 0, 7),
      entry('abacus', 7, abacus.length),
      entry('abaci', 7, abacus.length),
      entry('zero', 7 + abacus.length, zero.length),
      '',
    ].join('\n');
    const files = [file('gcide.index', index), file('gcide.dict.dz', gzipSync(text))];
    expect([...gcide.documents(files)]).toEqual([abacus, zero]);
    const damaged = [files[0], file('gcide.dict.dz', 'no gzip')];
    expect(userErrorLine(() => [...gcide.documents(damaged)])).toContain('gcide.dict.dz: expected a gzip file');
  });

  it('reads numbers of any size', () => {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (number) => {
        let text = '';
        for (let rest = number; rest > 0; rest = Math.floor(rest / 64)) text = digits[rest % 64] + text;
        expect(dictNumber(text)).toBe(number);
      }),
    );
  });
});

it('bytes are UTF-8 text, or else Latin-1', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(textOf(Buffer.from(text.toWellFormed()))).toBe(text.toWellFormed().replace(/^\uFEFF/, ''));
    }),
  );
  expect(textOf(Buffer.from([0x63, 0x61, 0x66, 0xe9]))).toBe('café');
});
