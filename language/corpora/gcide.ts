import { gunzipSync } from 'node:zlib';
import { UserError } from '#src/errors';
import { type Corpus, type SourceFile, textOf } from './corpus.js';

const FOLDER = '/usr/share/dictd';
const CHANGES = '/usr/share/doc/dict-gcide/changelog.Debian.gz';
const COPYRIGHT = '/usr/share/doc/dict-gcide/copyright';

/** The GNU Collaborative International Dictionary of English: each entry is a document. Read where Debian has installed it. */
export const gcide: Corpus = {
  name: 'gcide',
  title: 'GNU Collaborative International Dictionary of English',
  licence: 'GPL-2.0-or-later',
  source: {
    kind: 'installed',
    package: 'dict-gcide (Debian)',
    remedy: 'apt-get install dict-gcide',
    files: [`${FOLDER}/gcide.index`, `${FOLDER}/gcide.dict.dz`, CHANGES, COPYRIGHT],
    versionOf: ([, , changes]) => /\(([^)]+)\)/.exec(textOf(unzipped(changes)))?.[1] ?? 'unknown',
  },
  licenceFiles: [COPYRIGHT],
  holdsText: (path) => path.startsWith(FOLDER),
  *documents([index, dictionary]) {
    const text = unzipped(dictionary);
    const seen = new Set<number>();
    for (const line of textOf(index.bytes).split('\n')) {
      const [headword, offset, length] = line.split('\t');
      // Entries whose headwords begin with 00- are about the dictionary; several headwords may lead to one entry.
      if (length === undefined || headword.startsWith('00-')) continue;
      const start = dictNumber(offset);
      if (seen.has(start)) continue;
      seen.add(start);
      yield textOf(text.subarray(start, start + dictNumber(length)));
    }
  },
};

/** @throws UserError when the file is damaged */
function unzipped({ path, bytes }: SourceFile): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw new UserError(`${path}: expected a gzip file: ${(error as Error).message}; install its package anew`);
  }
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A number as an index of dictd has it: base 64, the highest digit first. Source: the manual page dictfmt(1). */
export function dictNumber(text: string): number {
  let number = 0;
  for (const digit of text) number = 64 * number + DIGITS.indexOf(digit);
  return number;
}
