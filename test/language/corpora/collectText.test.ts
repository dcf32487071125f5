import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Corpus, collectText, readTextDocuments } from '#language';
import { RunError } from '#src/errors';
import { sha256 } from '#src/storage';
import { textOf } from '../../../language/corpora/corpus.js';
import { integrityOf, type PackPackage } from '../../../language/corpora/npmPackage.js';
import { tarBytes } from '../../support/tarBytes.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';

/** 40 lines, one of them twice, and white space of all kinds. */
const LINES = Array.from({ length: 40 }, (_, i) => (i === 7 ? 'line 6' : `line ${i}`));
const TEXT = LINES.join('\n--\n').replace('line 3', ' line\n\t\u00a03 ');

const TARBALL = gzipSync(
  tarBytes([
    { name: 'package/LICENSE', content: 'Do as you like.\n' },
    { name: 'package/data/words.txt', content: TEXT },
    { name: 'package/index.js', content: 'throw new Error()' },
  ]),
);

const corpus: Corpus = {
  name: 'words',
  title: 'Some words',
  licence: 'CC0-1.0',
  source: { kind: 'npm', package: '@some/words', version: '1.2.3', integrity: integrityOf(TARBALL) },
  licenceFiles: ['LICENSE'],
  holdsText: (path) => path === 'data/words.txt',
  documents: (files) => files.flatMap(({ bytes }) => textOf(bytes).split('\n--\n')),
};

/** A registry of one package, which counts how often it is asked. */
function registry(tarball: Buffer = TARBALL): { pack: PackPackage; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    pack: async (spec, folder) => {
      asked.push(spec);
      writeFileSync(join(folder, 'some-words-1.2.3.tgz'), tarball);
    },
  };
}

const optionsIn = (root: string, { pack }: { pack: PackPackage }, given: object = {}) => ({
  ...{ validationShare: 0.1, seed: 1, cacheDir: join(root, 'cache'), pack },
  ...given,
});

const documentsOf = (path: string): string[] =>
  [...readTextDocuments(path, { documents: 'line', field: 'text' })].map((pieces) => [...pieces].join(''));

describe('collectText', () => {
  it('writes each document on a line, on one side or the other, with the licence and a record', async () => {
    const root = temporaryFolder();
    const result = await collectText([corpus], join(root, 'text'), optionsIn(root, registry()));
    const [train, validation] = ['train', 'validation'].map((name) =>
      documentsOf(join(root, 'text', 'words', `${name}.txt`)),
    );
    expect(validation).toHaveLength(4);
    expect([...train, ...validation].sort()).toEqual([...new Set(LINES)].sort());
    expect(readFileSync(join(root, 'text', 'words', 'LICENSE'), 'utf8')).toBe('Do as you like.\n');
    expect(readdirSync(join(root, 'text')).sort()).toEqual(['SOURCES.json', 'SOURCES.md', 'words']);

    const { sources } = JSON.parse(readFileSync(join(root, 'text', 'SOURCES.json'), 'utf8'));
    expect(sources).toEqual(JSON.parse(JSON.stringify(result.sources)));
    expect(sources[0]).toMatchObject({ package: '@some/words', version: '1.2.3', licence: 'CC0-1.0' });
    for (const { path, bytes, sha256: digest, documents } of sources[0].files) {
      const content = readFileSync(join(root, 'text', path));
      expect([content.length, sha256(content), documentsOf(join(root, 'text', path)).length]).toEqual([
        bytes,
        digest,
        documents,
      ]);
      expect(readFileSync(join(root, 'text', 'SOURCES.md'), 'utf8')).toContain(
        `| ${path} | Some words | @some/words 1.2.3 | CC0-1.0 | ${documents} | ${bytes} | ${digest} |`,
      );
    }
  });

  it('gives the same bytes again, another split for another seed, and asks for a package once', async () => {
    const root = temporaryFolder();
    const from = registry();
    const collect = async (name: string, given?: object): Promise<string> => {
      await collectText([corpus], join(root, name), optionsIn(root, from, given));
      return readFileSync(join(root, name, 'words', 'validation.txt'), 'utf8');
    };
    const first = await collect('first');
    expect(await collect('second')).toBe(first);
    expect(await collect('third', { seed: 2 })).not.toBe(first);
    expect(from.asked).toEqual(['@some/words@1.2.3']);
  });

  it('keeps text of the same settings, and refuses a place with other text', async () => {
    const root = temporaryFolder();
    const collect = (given?: object) => collectText([corpus], join(root, 'text'), optionsIn(root, registry(), given));
    expect((await collect()).written).toBe(true);
    const again = await collect();
    expect(again.written).toBe(false);
    expect(again.sources[0].files).toHaveLength(2);
    writeFileSync(join(root, 'text', 'words', 'train.txt'), 'edited');
    expect(await rejectedLine(collect())).toContain('expected a new or empty place, got a folder with');
    expect(await rejectedLine(collect({ seed: 2 }))).toContain('expected a new or empty place, got a folder with');
    expect((await collect({ seed: 2, overwrite: true })).written).toBe(true);
    expect(existsSync(join(root, 'text.old-1', 'SOURCES.json'))).toBe(true);
  });

  it('refuses a tarball that is not the published one, and gets a damaged one of the cache anew', async () => {
    const root = temporaryFolder();
    const other = gzipSync(tarBytes([{ name: 'package/data/words.txt', content: 'others' }]));
    const forged = collectText([corpus], join(root, 'text'), optionsIn(root, registry(other)));
    expect(await rejectedLine(forged)).toContain('it is not the published one');
    expect(existsSync(join(root, 'text'))).toBe(false);
    const from = registry();
    await collectText([corpus], join(root, 'text'), optionsIn(root, from));
    writeFileSync(join(root, 'cache', 'packages', 'some-words-1.2.3.tgz'), TARBALL.subarray(1));
    await collectText([corpus], join(root, 'more'), optionsIn(root, from));
    expect(from.asked).toHaveLength(2);
  });

  it('says in one line that npm cannot be had, and where a tarball may be put', async () => {
    const root = temporaryFolder();
    const offline = (error: object): Promise<string> =>
      rejectedLine(
        collectText([corpus], join(root, 'text'), optionsIn(root, { pack: () => Promise.reject(error) })).catch(
          (thrown: unknown) => {
            expect(thrown).toBeInstanceOf(RunError);
            throw thrown;
          },
        ),
      );
    const stderr = 'npm error code EAI_AGAIN\nnpm error request to https://registry.npmjs.org failed\n';
    const path = join(root, 'cache', 'packages', 'some-words-1.2.3.tgz');
    expect(await offline(Object.assign(new Error('Command failed'), { stderr }))).toBe(
      `cannot get @some/words@1.2.3 with npm pack (EAI_AGAIN); run it where the registry can be reached, or put its tarball at ${path}`,
    );
    expect(await offline(Object.assign(new Error('spawn npm ENOENT'), { code: 'ENOENT' }))).toContain(
      'npm is not installed',
    );
  });

  it('names what is not installed before any work', async () => {
    const root = temporaryFolder();
    const source = { kind: 'installed', package: 'dict-x', remedy: 'apt-get install dict-x' } as const;
    const installed: Corpus = { ...corpus, source: { ...source, files: ['/none/x.index'], versionOf: () => '1' } };
    const from = registry();
    expect(await rejectedLine(collectText([corpus, installed], join(root, 'text'), optionsIn(root, from)))).toBe(
      'words: /none/x.index is missing; dict-x has it: apt-get install dict-x',
    );
    expect(from.asked).toEqual([]);
  });
});
