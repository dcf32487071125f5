import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentFrequencies } from '#captions/metrics';
import { readDocumentFrequencies, writeDocumentFrequencies } from '#captions/scoring';
import { temporaryFolder } from '../../support/temporaryFolder.js';

describe('document frequencies in a file', () => {
  it('come back as they were', () => {
    const path = join(temporaryFolder(), 'idf.json');
    const caption = fc.array(fc.constantFrom('a', 'dog', '__proto__', 'constructor', '"', '7'), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(caption, { minLength: 1, maxLength: 5 }), (captions) => {
        const references = new Map(captions.map((words, id) => [id, [words.join(' ')]]));
        const table = documentFrequencies(references, { pretokenized: true });
        writeDocumentFrequencies(path, table, 'pretokenized');
        expect(readDocumentFrequencies(path, 'pretokenized')).toEqual(table);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    [{ tokens: 'ptb', numImages: 0, counts: {} }, /numImages: /],
    [{ tokens: 'ptb', numImages: 2, counts: { a: 0 } }, /counts\["a"\]: /],
    [
      { tokens: 'ptb', numImages: 2, counts: { a: 3 } },
      /counts\["a"\]: expected a number of images from 1 to numImages, 2, got 3/,
    ],
    [{ tokens: 'pretokenized', numImages: 2, counts: {} }, /expected n-grams of ptb captions, got pretokenized/],
    [{ numImages: 2 }, /tokens: /],
    [[], /the file: /],
  ])('%j is refused in one line', (value, expected) => {
    const path = join(temporaryFolder(), 'idf.json');
    writeFileSync(path, JSON.stringify(value));
    expect(() => readDocumentFrequencies(path, 'ptb')).toThrow(expected);
    expect(() => readDocumentFrequencies(path, 'ptb')).toThrow(/^[^\n]+$/);
  });
});
