import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, UserError } from '#src/errors';
import { type TextBatch, TextDataConfig, type TextDataset } from '../../../language/data/index.js';
import { type TextFolder, textFolder } from './textFixture.js';

const END = 256;
let folder: TextFolder;
beforeAll(() => {
  folder = textFolder();
});
afterAll(() => folder.remove());

const ascii = (length: number) => Array.from({ length }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
const rowsOf = ({ tokenIds, labels, batch, seqLen }: TextBatch) =>
  Array.from({ length: batch }, (_, i) => ({
    tokenIds: [...tokenIds.subarray(i * seqLen, (i + 1) * seqLen)],
    labels: [...labels.subarray(i * seqLen, (i + 1) * seqLen)],
  }));

describe('packed layout', () => {
  it('has labels that are the tokenIds shifted by one', () => {
    folder.write('shift.txt', ascii(500));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(40),
        (seqLen, batchSize, step) => {
          const dataset = folder.open({ files: ['shift.txt'], seqLen });
          const batch = dataset.batchAt(step, batchSize);
          dataset.dispose();
          expect(batch).toMatchObject({ batch: batchSize, seqLen, numTokens: batchSize * seqLen });
          for (const { tokenIds, labels } of rowsOf(batch)) expect(labels.slice(0, -1)).toEqual(tokenIds.slice(1));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('holds each document behind an end-of-text id, and one at the end', () => {
    folder.write('one.txt', 'ab');
    folder.write('two.txt', 'cde');
    const dataset = folder.open({ files: ['one.txt', 'two.txt'], seqLen: 7 });
    expect(dataset).toMatchObject({ numTokens: 8, numDocuments: 2, size: 1, numTruncated: 0, validation: undefined });
    expect([...dataset.sequence(0, 0)]).toEqual([END, 97, 98, END, 99, 100, 101, END]);
  });

  it('goes through every window of an epoch before the next epoch begins', () => {
    folder.write('epoch.txt', ascii(330));
    const dataset = folder.open({ files: ['epoch.txt'], seqLen: 11 });
    const batchSize = 7;
    const rows = Array.from({ length: 40 }, (_, step) => rowsOf(dataset.batchAt(step, batchSize))).flat();
    for (const epoch of [0, 1, 2]) {
      const drawn = rows.slice(epoch * dataset.size, (epoch + 1) * dataset.size).map((row) => row.tokenIds.join());
      const expected = Array.from({ length: dataset.size }, (_, i) =>
        dataset.sequence(epoch, i).subarray(0, -1).join(),
      );
      expect(drawn).toEqual(expected);
      expect(new Set(drawn).size).toBe(dataset.size);
    }
  });

  it('gives the batch of a step from (seed, step, batchSize) alone', () => {
    folder.write('pure.txt', ascii(900));
    const config = { files: ['pure.txt'], seqLen: 16 };
    const straight = folder.open(config);
    const batches = Array.from({ length: 60 }, (_, step) => straight.batchAt(step, 4));
    const resumed = folder.open(config);
    for (const step of [59, 3, 31, 14, 15]) expect(resumed.batchAt(step, 4)).toEqual(batches[step]);
    expect(folder.open(config, { seed: 2 }).batchAt(0, 4)).not.toEqual(batches[0]);
  });

  it('says when the text is too short for seqLen', () => {
    folder.write('short.txt', 'abc');
    expect(() => folder.open({ files: ['short.txt'], seqLen: 8 })).toThrow(
      /short\.txt: text too short for seqLen 8: expected at least 9 tokens to train on, got 5/,
    );
    expect(folder.open({ files: ['short.txt'], seqLen: 4 }).size).toBe(1);
  });
});

describe('documents layout', () => {
  const lines = ['a', 'bcd', 'efghijklmnopqrstuvw', 'xyz'];

  it('keeps every document in a row of its own, between end-of-text ids', () => {
    const line = fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...'abcdefgh ') });
    const documents = fc.array(line, { minLength: 1, maxLength: 20 }).filter((all) => all.every((one) => one.trim()));
    fc.assert(
      fc.property(documents, fc.integer({ min: 1, max: 30 }), fc.nat(), (texts, seqLen, seed) => {
        folder.write('rows.txt', texts.join('\n'));
        const dataset = folder.open({ files: ['rows.txt'], documents: 'line', layout: 'documents', seqLen }, { seed });
        const batch = dataset.batchAt(0, texts.length);
        dataset.dispose();
        const expected = texts.map((text) => [END, ...Buffer.from(text), END].slice(0, seqLen + 1));
        const seen = rowsOf(batch).map(({ tokenIds, labels }) => {
          const length = labels.filter((label) => label !== -100).length;
          expect(labels.slice(length).every((label) => label === -100)).toBe(true);
          expect(tokenIds.slice(length).every((id) => id === END)).toBe(true);
          expect(labels.slice(0, length - 1)).toEqual(tokenIds.slice(1, length));
          return [...tokenIds.slice(0, length), labels[length - 1]];
        });
        const sorted = (rows: number[][]) => rows.map((row) => row.join()).sort();
        expect(sorted(seen)).toEqual(sorted(expected));
        expect(batch.numTokens).toBe(expected.reduce((sum, row) => sum + row.length - 1, 0));
      }),
      { numRuns: 60 },
    );
  });

  it('trims a batch to its longest row, rounded up to 8 and never past seqLen', () => {
    folder.write('trim.txt', lines.join('\n'));
    const config = { files: ['trim.txt'], documents: 'line', layout: 'documents' };
    const widths = (seqLen: number) => {
      const dataset = folder.open({ ...config, seqLen });
      return dataset.batchAt(0, lines.length).seqLen;
    };
    expect(widths(64)).toBe(24);
    expect(widths(20)).toBe(20);
    expect(widths(10)).toBe(10);
    const short = folder.open({ ...config, files: ['trim.txt'], seqLen: 64, validationShare: 0.25 });
    expect([...short.validationBatches(4)].map(({ seqLen }) => seqLen)).toEqual([8]);
  });

  it('counts what it cuts', () => {
    folder.write('cut.txt', lines.join('\n'));
    const config = { files: ['cut.txt'], documents: 'line', layout: 'documents' };
    expect(folder.open({ ...config, seqLen: 20 })).toMatchObject({ numDocuments: 4, numTruncated: 0, numTokens: 31 });
    expect(folder.open({ ...config, seqLen: 19 })).toMatchObject({ numTruncated: 1 });
  });
});

describe('held-out text', () => {
  it('packed: the closing share of the tokens, each predicted once, in order', () => {
    const text = ascii(398);
    folder.write('held.txt', text);
    const dataset = folder.open({ files: ['held.txt'], seqLen: 16, validationShare: 0.25 });
    const stream = [END, ...Buffer.from(text), END];
    expect(dataset.numTokens).toBe(300);
    expect(dataset.validation).toMatchObject({ numTokens: 100, size: 7 });
    const batches = [...dataset.validationBatches(2)];
    expect(batches.map(({ batch }) => batch)).toEqual([2, 2, 2, 1]);
    const labels = batches.flatMap((batch) => [...batch.labels].filter((label) => label !== -100));
    expect(labels).toEqual(stream.slice(301));
    expect(batches.reduce((sum, { numTokens }) => sum + numTokens, 0)).toBe(99);
    expect([...dataset.validationBatches(2)]).toEqual(batches);
    expect([...dataset.validationBatches(2, 2)]).toEqual(batches.slice(0, 2));
    const trained = Array.from({ length: 30 }, (_, step) => [...dataset.batchAt(step, 4).labels]).flat();
    expect(Math.max(...trained.filter((id) => id !== END))).toBeLessThan(256);
    expect(trained).not.toContain(END);
  });

  const letters = (labels: Int32Array) => [...labels].filter((label) => label >= 0 && label < END);
  const trainedOn = (dataset: TextDataset) =>
    Array.from({ length: dataset.size }, (_, i) => letters(dataset.sequence(0, i))).flat();
  const validatedOn = (dataset: TextDataset) =>
    [...dataset.validationBatches(2)].flatMap(({ tokenIds, labels }) => letters(labels.length > 0 ? labels : tokenIds));

  it.each(['documents', 'packed'])('%s: a share of the documents of all files, drawn by the seed', (layout) => {
    folder.write('first.txt', Array.from({ length: 50 }, () => 'aaa').join('\n'));
    folder.write('second.txt', Array.from({ length: 50 }, () => 'bbb').join('\n'));
    const config = { files: ['first.txt', 'second.txt'], documents: 'line', layout, seqLen: 4, validationShare: 0.2 };
    const dataset = folder.open(config);
    const held = validatedOn(dataset);
    expect(held).toHaveLength(60);
    const count = (ids: number[], letter: string) => ids.filter((id) => id === letter.charCodeAt(0)).length;
    for (const letter of 'ab') expect(count(held, letter)).toBeGreaterThan(12);
    // The first batches are a sample of both files too.
    const early = [...dataset.validationBatches(4, 2)].flatMap(({ labels }) => letters(labels));
    for (const letter of 'ab') expect(count(early, letter)).toBeGreaterThan(0);
    expect(validatedOn(folder.open(config, { seed: 99 }))).toEqual(held);
    expect(validatedOn(folder.open({ ...config, validationSeed: 1 }))).not.toEqual(held);
  });

  it.each(['documents', 'packed'])('%s: no document is both trained and validated on, and none is lost', (layout) => {
    const texts = Array.from({ length: 24 }, (_, i) => String.fromCharCode(97 + i).repeat(3));
    folder.write('a.txt', texts.slice(0, 7).join('\n'));
    folder.write('b.txt', texts.slice(7).join('\n'));
    const config = { files: ['a.txt', 'b.txt'], documents: 'line', layout, seqLen: 4, validationShare: 0.25 };
    const dataset = folder.open(config);
    const held = new Set(validatedOn(dataset));
    const trained = new Set(trainedOn(dataset));
    expect([held.size, dataset.validation?.numDocuments, dataset.numDocuments]).toEqual([6, 6, 18]);
    expect([...held].filter((id) => trained.has(id))).toEqual([]);
    // A packed epoch leaves out what is left of its last window.
    expect(trained.size).toBeGreaterThanOrEqual(layout === 'packed' ? 16 : 18);
  });

  it('packed: of too few documents, the end of each', () => {
    folder.write('one.txt', `${'a'.repeat(80)}${'b'.repeat(20)}`);
    folder.write('two.txt', `${'c'.repeat(160)}${'d'.repeat(40)}`);
    const dataset = folder.open({ files: ['one.txt', 'two.txt'], seqLen: 5, validationShare: 0.2 });
    expect(new Set(trainedOn(dataset))).toEqual(new Set([97, 99]));
    expect(new Set(validatedOn(dataset))).toEqual(new Set([98, 100]));
    const early = [...dataset.validationBatches(8, 1)].flatMap(({ labels }) => letters(labels));
    expect(new Set(early)).toEqual(new Set([98, 100]));
  });

  it('validationFrom: end takes the last documents', () => {
    folder.write('lines.txt', 'a\nb\nc\nd\ne\n');
    const dataset = folder.open({
      files: ['lines.txt'],
      documents: 'line',
      layout: 'documents',
      seqLen: 8,
      validationShare: 0.4,
      validationFrom: 'end',
    });
    expect([dataset.size, dataset.validation?.size]).toEqual([3, 2]);
    const [batch] = dataset.validationBatches(8);
    expect(rowsOf(batch).map(({ labels }) => labels[0])).toEqual([100, 101]);
    const trained = rowsOf(dataset.batchAt(0, 3)).map(({ labels }) => labels[0]);
    expect(trained.sort()).toEqual([97, 98, 99]);
  });

  it('may be files of its own, but not ones that are trained on', () => {
    folder.write('train.txt', ascii(100));
    folder.write('validation.txt', 'xyz');
    folder.write('copy.txt', ascii(100));
    const config = { files: ['train.txt'], seqLen: 8 };
    const dataset = folder.open({ ...config, validationFiles: ['validation.txt'] });
    const [batch] = dataset.validationBatches(4);
    expect(rowsOf(batch)).toEqual([
      { tokenIds: [END, 120, 121, 122, END, END, END, END], labels: [120, 121, 122, END, -100, -100, -100, -100] },
    ]);
    expect(() => folder.open({ ...config, validationFiles: ['copy.txt'] })).toThrow(
      /got copy\.txt, the same as train\.txt/,
    );
  });

  it('is asked for in vain when none is set aside, or would leave nothing', () => {
    folder.write('all.txt', 'abcdef');
    const dataset = folder.open({ files: ['all.txt'], seqLen: 2 });
    expect(() => dataset.validationBatches(1)).toThrow(ConfigError);
    const documents = { files: ['all.txt'], layout: 'documents', seqLen: 2 };
    expect(() => folder.open({ ...documents, validationShare: 0.5 })).toThrow(
      /validationShare: expected text left to train on, got none: 0\.5 of 1 document rounds to 1; lower it/,
    );
    expect(() => folder.open({ ...documents, validationShare: 0.5 })).toThrow(UserError);
    expect(() => folder.open({ ...documents, validationShare: 0.4 })).toThrow(
      /0\.4 of 1 document rounds to 0; add text/,
    );
    folder.write('few.txt', 'a\nb\nc');
    expect(() => folder.open({ ...documents, files: ['few.txt'], documents: 'line', validationShare: 0.1 })).toThrow(
      /expected a document to validate on, got none: 0\.1 of 3 documents rounds to 0; raise it to 0\.17, add text/,
    );
  });
});

describe('TextDataConfig', () => {
  it('fills in what was left out and refuses what does not fit together', () => {
    expect(TextDataConfig.parse({ files: ['a.txt'], seqLen: 8 })).toEqual({
      files: ['a.txt'],
      documents: 'file',
      layout: 'packed',
      seqLen: 8,
    });
    const problems = (extra: object) =>
      TextDataConfig.safeParse({ files: ['a.txt'], seqLen: 8, ...extra }).error?.issues.map(({ path }) =>
        path.join('.'),
      );
    expect(problems({ field: 'body' })).toEqual(['field']);
    expect(problems({ field: 'body', files: ['a.jsonl'] })).toBeUndefined();
    expect(problems({ validationShare: 0.1, validationFiles: ['b.txt'] })).toEqual(['validationShare']);
    expect(problems({ validationFrom: 'end', validationSeed: 1 })).toEqual(['validationFrom', 'validationSeed']);
    expect(problems({ validationShare: 1 })).toEqual(['validationShare']);
    expect(problems({ files: [] })).toEqual(['files']);
    expect(problems({ seqLength: 8 })).toEqual(['']);
  });
});
