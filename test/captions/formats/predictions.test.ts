import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readPredictions, writePredictions } from '#captions/formats';
import { UserError } from '#src/errors';

const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-predictions-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('predictions', () => {
  it('come back as they were written', () => {
    const path = join(folder, 'any.json');
    const predictions = fc.uniqueArray(
      fc.record({ image_id: fc.maxSafeInteger(), caption: fc.string({ unit: 'binary' }) }),
      { minLength: 1, selector: ({ image_id }) => image_id },
    );
    fc.assert(
      fc.property(predictions, (written) => {
        writePredictions(path, written);
        expect([...readPredictions(path)]).toEqual(written.map(({ image_id, caption }) => [image_id, caption]));
      }),
      { numRuns: 30 },
    );
  });

  it('are written in COCO results format with no further field', () => {
    const path = join(folder, 'plain.json');
    const withScore = { image_id: 4, caption: 'a cat', score: 0.5 };
    writePredictions(path, [withScore]);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([{ image_id: 4, caption: 'a cat' }]);
  });

  it('are refused, and nothing written, when an id occurs twice or is unknown', () => {
    const inner = join(folder, 'untouched');
    mkdirSync(inner);
    const path = join(inner, 'predictions.json');
    const twice = [4, 5, 4].map((image_id) => ({ image_id, caption: 'a' }));
    expect(() => writePredictions(path, twice)).toThrow(
      '[2].image_id: expected one caption per image, got 4 again after [0]',
    );
    expect(() => writePredictions(path, twice.slice(0, 2), { imageIds: [4] })).toThrow(/\[1\]\.image_id: .* got 5/);
    expect(() => writePredictions(path, [{ image_id: 0.5, caption: 'a' }])).toThrow(/expected an integer, got 0.5/);
    expect(readdirSync(inner)).toEqual([]);
  });

  it.each([
    ['an id that occurs twice', '[{"image_id":1,"caption":"a"},{"image_id":1,"caption":"b"}]', /\[1\]\.image_id/],
    ['an unknown id', '[{"image_id":9,"caption":"a"}]', /\[0\]\.image_id: .* got 9/],
    ['a missing caption', '[{"image_id":1}]', /\[0\]\.caption: expected a string, got nothing/],
    ['an object', '{"1":"a cat"}', /the file: expected an array of captions, got an object/],
    ['an empty array', '[]', /expected at least one caption, got an empty array/],
    [
      'an id too large to be exact',
      '[{"image_id":9007199254740993,"caption":"a"}]',
      /expected an integer within ±9007199254740991/,
    ],
    ['half a file', '[{"image_id":1,', /not valid JSON/],
  ])('are not read from %s', (_name, text, message) => {
    const path = join(folder, 'broken.json');
    writeFileSync(path, text);
    const read = () => readPredictions(path, { imageIds: [1, 2] });
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
  });
});
