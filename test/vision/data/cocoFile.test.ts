import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { readCocoFile } from '../../../vision/data/cocoFile.js';
import { userErrorLine } from '../../support/thrown.js';
import { temporaryFolder, writeJson } from './sampleImages.js';

const grid = {
  rows: 1,
  cols: 2,
  attributes: [
    { name: 'colour', values: ['none', 'red', 'blue'] },
    { name: 'shape', values: ['none', 'disc'] },
  ],
};
const sample = () => ({
  images: [
    { id: 7, file_name: 'a.png', cells: [0, 0, 1, 1] },
    { id: 9, file_name: 'b.png', cells: [2, 1, 0, 0] },
  ],
  categories: [
    { id: 30, name: 'red disc' },
    { id: 10, name: 'blue disc' },
  ],
  annotations: [
    { id: 1, image_id: 9, category_id: 10 },
    { id: 2, image_id: 7, category_id: 30, bbox: [1, 2, 3, 4] },
    { id: 3, image_id: 9, category_id: 10 },
    { id: 4, image_id: 9, caption: 'a blue disc' },
  ],
  grid,
});

type Sample = ReturnType<typeof sample>;
function read(json: unknown, requirement: 'attributes' | 'grid' | 'none') {
  const path = writeJson(join(temporaryFolder(), 'labels.json'), json);
  return readCocoFile(path, undefined, requirement);
}
function failure(
  change: (json: Record<string, unknown> & Sample) => void,
  requirement: 'attributes' | 'grid' | 'none' = 'grid',
): string {
  const json = sample();
  change(json as Record<string, unknown> & Sample);
  try {
    read(json, requirement);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message.replace(/^.*labels\.json/, 'labels.json');
  }
  return 'no error';
}

describe('readCocoFile', () => {
  it('refuses attributes where no annotation labels an image, and says what it looked for', () => {
    const none = /annotations: expected entries with image_id and category_id, which label the images, got none/;
    for (const annotations of [[], [{ image_id: 7, caption: 'a disc' }], undefined]) {
      expect(failure((json) => Object.assign(json, { annotations }), 'attributes')).toMatch(none);
      expect(failure((json) => Object.assign(json, { annotations }), 'grid')).toBe('no error');
    }
    const elsewhere = failure((json) => {
      json.annotations = [];
      for (const image of json.images) Object.assign(image, { width: 8, attributes: ['red disc'] });
    }, 'attributes');
    expect(elsewhere).toMatch(/got none; images\[\]\.attributes is not read$/);
  });

  it('takes ids that are negative, huge or text', () => {
    const ids = { images: [-1, 2 ** 53 - 1], categories: ['red', ''] };
    const json = sample();
    for (const [i, image] of json.images.entries()) Object.assign(image, { id: ids.images[i] });
    for (const [i, category] of json.categories.entries()) Object.assign(category, { id: ids.categories[i] });
    const annotations = [{ image_id: 2 ** 53 - 1, category_id: '' }];
    expect([...(read({ ...json, annotations }, 'attributes').attributes ?? [])]).toEqual([0, 0, 0, 1]);
  });

  it('refuses a grid of millions of rows and cells nested by the thousand in one line', () => {
    const grids = { ...grid, rows: 1e6, cols: 1e6 };
    expect(failure((json) => Object.assign(json, { grid: grids }))).toMatch(
      /grid: expected at most \d+ labels, got 1000000 rows × 1000000 cols × 2 attributes × 2 images/,
    );
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const nested = (cells: string): string => {
      const path = join(temporaryFolder(), 'labels.json');
      writeFileSync(path, JSON.stringify(sample()).replace('[0,0,1,1]', cells));
      return userErrorLine(() => readCocoFile(path, undefined, 'grid'));
    };
    expect(nested(deep)).toMatch(/images\[0\]\.cells: expected 4 integers .*, got 1$/);
    expect(nested(`[0,0,0,${deep}]`)).toMatch(/cells\[3\]: expected a value of 'shape' in 0\.\.1, got an array$/);
    expect(nested('"none"')).toMatch(/cells: expected 4 integers .*, got "none"$/);
  });

  it('gives each image a 0/1 vector over the categories in file order', () => {
    const { attributeNames, attributes, cells } = read(sample(), 'attributes');
    expect(attributeNames).toEqual(['red disc', 'blue disc']);
    expect([...(attributes ?? [])]).toEqual([1, 0, 0, 1]);
    expect(cells).toBeUndefined();
  });

  it('gives cells, and attributes with them where there are categories', () => {
    const both = read(sample(), 'grid');
    expect([...(both.cells ?? [])]).toEqual([0, 0, 1, 1, 2, 1, 0, 0]);
    expect(both.grid).toEqual(grid);
    expect(both.attributeNames).toHaveLength(2);
    const { categories: _, annotations: __, ...withoutCategories } = sample();
    expect(read(withoutCategories, 'grid').attributeNames).toBeUndefined();
  });

  it('loads captions, which have no categories, for label-free objectives', () => {
    const { entries, attributes } = read(
      { images: [{ id: 1, file_name: 'x/y.png' }], annotations: [{ image_id: 1, caption: 'a cat' }] },
      'none',
    );
    expect(entries.map((entry) => entry.key)).toEqual(['x/y.png']);
    expect(attributes).toBeUndefined();
  });

  it('finds images in the folder given, in images beside the file, or beside the file', () => {
    const folder = temporaryFolder();
    const path = writeJson(join(folder, 'labels.json'), sample());
    expect(readCocoFile(path, undefined, 'none').entries[0].path).toBe(join(folder, 'a.png'));
    mkdirSync(join(folder, 'images'));
    expect(readCocoFile(path, undefined, 'none').entries[0].path).toBe(join(folder, 'images', 'a.png'));
    mkdirSync(join(folder, 'other'));
    expect(readCocoFile(path, join(folder, 'other'), 'none').entries[0].path).toBe(join(folder, 'other', 'a.png'));
    expect(() => readCocoFile(path, join(folder, 'gone'), 'none')).toThrow(/gone: no such folder/);
    expect(() => readCocoFile(join(folder, 'gone.json'), undefined, 'none')).toThrow(/gone\.json: no such file/);
  });

  it('names the entry and field of a wrong image, category or annotation', () => {
    expect(
      failure((json) => {
        json.images[1].file_name = '';
      }),
    ).toMatch(/^labels\.json: images\[1\]\.file_name: /);
    expect(failure((json) => void Reflect.deleteProperty(json.images[0], 'id'))).toMatch(
      /^labels\.json: images\[0\]\.id: /,
    );
    expect(failure((json) => Reflect.deleteProperty(json, 'images'), 'none')).toMatch(
      /^labels\.json: images: expected a list, got nothing$/,
    );
    expect(
      failure((json) => {
        json.images = [];
      }),
    ).toBe('labels.json lists no images');
    expect(
      failure((json) => {
        json.images[1].id = 7;
      }, 'none'),
    ).toBe('labels.json: images[1].id: expected a unique value, got 7, as in [0]');
    expect(
      failure((json) => {
        json.annotations[2].category_id = 11;
      }),
    ).toBe('labels.json: annotations[2].category_id: expected the id of an entry of categories, got 11');
    expect(
      failure((json) => {
        json.annotations[1].image_id = 1;
      }),
    ).toBe('labels.json: annotations[1].image_id: expected the id of an image, got 1');
    expect(failure((json) => Reflect.deleteProperty(json.annotations[0], 'category_id'))).toBe(
      'labels.json: annotations[0].category_id: expected the id of a category, got nothing',
    );
    expect(
      failure((json) => {
        json.categories[1].name = 'red disc';
      }),
    ).toMatch(/categories\[1\]\.name: expected a unique value/);
    expect(failure((json) => Reflect.deleteProperty(json, 'categories'), 'attributes')).toMatch(
      /^labels\.json: categories: /,
    );
    expect(failure((json) => Reflect.deleteProperty(json, 'annotations'), 'attributes')).toMatch(
      /^labels\.json: annotations: /,
    );
  });

  it('names the image and cell of wrong grid labels', () => {
    expect(failure((json) => void json.images[1].cells.pop())).toBe(
      'labels.json: images[1].cells: expected 4 integers (1 rows × 2 cols × 2 attributes), got 3',
    );
    expect(failure((json) => Reflect.deleteProperty(json.images[0], 'cells'))).toMatch(
      /images\[0\]\.cells: .* got nothing$/,
    );
    expect(
      failure((json) => {
        json.images[0].cells[3] = 2;
      }),
    ).toBe("labels.json: images[0].cells[3]: expected a value of 'shape' in 0..1, got 2");
    expect(
      failure((json) => {
        json.images[0].cells[0] = 0.5;
      }),
    ).toMatch(/cells\[0\]: expected a value of 'colour' in 0\.\.2, got 0\.5$/);
    expect(failure((json) => Reflect.deleteProperty(json, 'grid'))).toMatch(/^labels\.json: grid: /);
    expect(
      failure((json) => {
        json.grid = { ...grid, rows: 0 };
      }),
    ).toMatch(/^labels\.json: grid\.rows: /);
  });

  it('reads any JSON value or throws one line', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'any.json');
    const part = fc.oneof(fc.jsonValue(), fc.constant(undefined));
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record({ images: part, categories: part, annotations: part, grid: part })),
        fc.constantFrom('attributes' as const, 'grid' as const, 'none' as const),
        (json, requirement) => {
          writeJson(path, json);
          try {
            expect(readCocoFile(path, undefined, requirement).entries.length).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
