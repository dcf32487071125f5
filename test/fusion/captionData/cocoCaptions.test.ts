import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readCocoCaptions, readPredictions } from '#fusion/captionData';
import { UserError } from '#src/errors';

const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-coco-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(value: unknown, name = 'captions.json'): string {
  const path = join(folder, name);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

const valid = () => ({
  info: { year: 2024 },
  images: [
    { id: 7, file_name: 'seven.png', width: 4 },
    { id: 3, file_name: 'three.png' },
    { id: 5, file_name: 'five.png' },
  ],
  annotations: [
    { id: 1, image_id: 3, caption: 'a red ball\n' },
    { id: 2, image_id: 7, caption: 'two dogs' },
    { id: 3, image_id: 3, caption: 'a ball' },
  ],
});

describe('readCocoCaptions', () => {
  it('reads images in file order, captions per image, and images without one', () => {
    const { images, captions, uncaptioned } = readCocoCaptions(write(valid()));
    expect(images.map(({ id, fileName }) => [id, fileName])).toEqual([
      [7, 'seven.png'],
      [3, 'three.png'],
      [5, 'five.png'],
    ]);
    expect([...captions]).toEqual([
      [3, ['a red ball', 'a ball']],
      [7, ['two dogs']],
    ]);
    expect(uncaptioned).toEqual([5]);
  });

  it('looks for images in the given folder, in images/ beside the file, then beside the file', () => {
    const inner = mkdtempSync(join(folder, 'set-'));
    const path = join(inner, 'captions.json');
    writeFileSync(path, JSON.stringify(valid()));
    expect(readCocoCaptions(path).images[0].path).toBe(join(inner, 'seven.png'));
    mkdirSync(join(inner, 'images'));
    expect(readCocoCaptions(path).images[0].path).toBe(join(inner, 'images', 'seven.png'));
    const imageDir = join(inner, 'elsewhere');
    expect(readCocoCaptions(path, { imageDir }).images[0].path).toBe(join(imageDir, 'seven.png'));
  });

  it('names the first missing image file when files are required', () => {
    const imageDir = mkdtempSync(join(folder, 'pictures-'));
    writeFileSync(join(imageDir, 'seven.png'), '');
    const path = write(valid());
    expect(() => readCocoCaptions(path, { imageDir, requireImageFiles: true })).toThrow(
      `${path}: images[1].file_name: expected the file ${join(imageDir, 'three.png')}, got none`,
    );
    for (const name of ['three.png', 'five.png']) writeFileSync(join(imageDir, name), '');
    expect(readCocoCaptions(path, { imageDir, requireImageFiles: true }).images).toHaveLength(3);
  });

  it.each([
    [
      'a caption that is no string',
      { annotations: [{ image_id: 3, caption: 4 }] },
      'annotations[0].caption: expected a string, got 4',
    ],
    [
      'a blank caption',
      { annotations: [{ image_id: 3, caption: ' ' }] },
      'annotations[0].caption: expected a caption with at least one word',
    ],
    ['an id that is text', { images: [{ id: '3', file_name: 'a' }] }, 'images[0].id: expected an integer, got "3"'],
    [
      'an id that is a fraction',
      { images: [{ id: 1.5, file_name: 'a' }] },
      'images[0].id: expected an integer, got 1.5',
    ],
    ['a missing file name', { images: [{ id: 1 }] }, 'images[0].file_name: expected a string, got nothing'],
    ['no images', { images: [] }, 'images: expected at least one image, got an array'],
    ['no annotations', { annotations: undefined }, 'annotations: expected an array, got nothing'],
    [
      'an id used twice',
      {
        images: [
          { id: 3, file_name: 'a' },
          { id: 3, file_name: 'b' },
        ],
      },
      'images[1].id: expected an id of its own, got 3, that of images[0]',
    ],
    [
      'an unknown image',
      { annotations: [{ image_id: 99, caption: 'a' }] },
      'annotations[0].image_id: expected the id of an entry of images, got 99',
    ],
    ['several problems', { images: [{}, {}] }, '(and 3 more problems)'],
  ])('refuses %s', (_name, part, message) => {
    const path = write({ ...valid(), ...part });
    const read = () => readCocoCaptions(path);
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
    expect(read).toThrow(path);
  });

  it('refuses a results file, bad JSON and no file, in one line', () => {
    for (const path of [write([{ image_id: 1, caption: 'a' }]), write('{"images": ['), join(folder, 'absent.json')]) {
      const read = () => readCocoCaptions(path);
      expect(read).toThrow(UserError);
      expect(read).toThrow(/^[^\n]+$/);
    }
  });
});

describe('arbitrary JSON', () => {
  const anything = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record(
        {
          images: fc.oneof(fc.jsonValue(), fc.array(entry('id', 'file_name'), { maxLength: 3 })),
          annotations: fc.oneof(fc.jsonValue(), fc.array(entry('image_id', 'caption'), { maxLength: 3 })),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
    fc.array(entry('image_id', 'caption'), { maxLength: 3 }).map((value) => JSON.stringify(value)),
  );

  it.each([
    ['readCocoCaptions', (path: string) => readCocoCaptions(path, { requireImageFiles: true })],
    ['readPredictions', (path: string) => readPredictions(path, { imageIds: [1, 2] })],
  ])('fails in %s by UserError only, in one line', (_name, read) => {
    fc.assert(
      fc.property(anything, (text) => {
        try {
          read(write(text, 'fuzz.json'));
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          expect(error.message).toMatch(/^[^\n]+$/);
        }
      }),
      { numRuns: 400 },
    );
  });

  function entry(idKey: string, textKey: string): fc.Arbitrary<Record<string, unknown>> {
    return fc.record(
      {
        [idKey]: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.jsonValue()),
        [textKey]: fc.oneof(fc.string(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
  }
});
