import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, UserError } from '#src/errors';
import { readImageShards } from '../../../vision/data/imageShards.js';
import { ImageDataConfig, type OpenOptions, openImageDataset } from '../../../vision/data/index.js';
import { type TarFile, tarBytes } from '../../support/tarBytes.js';
import { userErrorLine } from '../../support/thrown.js';
import { temporaryFolder, writeImage } from './sampleImages.js';

const SIZE = 4;
const root = temporaryFolder();
const grid = { rows: 1, cols: 2, attributes: [{ name: 'colour', values: ['none', 'red', 'blue'] }] };
/** A PNG of one colour, by its red byte. */
const images = new Map<number, Buffer>();
beforeAll(async () => {
  for (const red of [10, 20, 30]) {
    images.set(red, readFileSync(await writeImage(join(root, `${red}.png`), [red, 0, 0], SIZE)));
  }
});

function shard(files: readonly TarFile[], name = '000000.tar', folder = temporaryFolder()): string {
  const path = join(folder, name);
  writeFileSync(path, tarBytes(files));
  return path;
}

const png = (red: number, name: string): TarFile => ({ name: `${name}.png`, content: images.get(red)! });
const json = (name: string, value: unknown): TarFile => ({ name: `${name}.json`, content: JSON.stringify(value) });
const open = (path: string | string[], options: Partial<OpenOptions> = {}, more: object = {}) =>
  openImageDataset(ImageDataConfig.parse({ kind: 'webdataset', path, ...more }), {
    ...{ baseDir: root, cacheDir: join(root, 'cache'), imageSize: SIZE, requirement: 'none' },
    ...options,
  });

describe('image data in shards', () => {
  it('gives the pixels of every image, one shard after the other', async () => {
    const folder = temporaryFolder();
    shard([png(30, 'a')], '1.tar', folder);
    shard([png(10, 'a'), { name: 'a.cls', content: 'not read' }, png(20, 'x/b')], '0.tar', folder);
    const dataset = await open(folder);
    const { pixelValues, batch } = dataset.batchOf([0, 1, 2]);
    const reds = Array.from({ length: batch }, (_, i) => Math.round((pixelValues[i * SIZE * SIZE * 3] + 1) * 127.5));
    expect(reds).toEqual([10, 20, 30]);
    expect(dataset.classNames).toBeUndefined();
    expect(dataset.paths[1]).toBe(join(folder, '0.tar', 'x/b.png'));
    dataset.close();
  });

  it('numbers classes by name, and whole numbers by their value', async () => {
    const cls = (name: string, content: string): TarFile => ({ name: `${name}.cls`, content });
    const words = shard([
      png(10, 'a'),
      cls('a', 'owl\n'),
      png(20, 'b'),
      cls('b', 'cat'),
      png(30, 'c'),
      json('c', { cls: 'owl' }),
    ]);
    const byName = await open(words, { requirement: 'class' });
    expect(byName.classNames).toEqual(['cat', 'owl']);
    expect([...byName.batchOf([0, 1, 2]).labels!]).toEqual([1, 0, 1]);
    byName.close();
    const numbers = shard([
      png(10, 'a'),
      cls('a', '10'),
      png(20, 'b'),
      json('b', { cls: 9 }),
      png(30, 'c'),
      cls('c', '10'),
    ]);
    const byValue = await open(numbers, { requirement: 'class' });
    expect(byValue.classNames).toEqual(['9', '10']);
    expect([...byValue.batchOf([0, 1, 2]).labels!]).toEqual([1, 0, 1]);
    const validation = await open(shard([png(30, 'v'), cls('v', '10')]), { requirement: 'class', like: byValue });
    expect([...validation.batchOf([0]).labels!]).toEqual([1]);
    byValue.close();
    validation.close();
  });

  it('reads attributes, and cells on a grid', async () => {
    const path = shard([
      ...[png(10, 'a'), json('a', { attributes: ['red', 'disc'], cells: [1, 0] })],
      ...[png(20, 'b'), json('b', { attributes: [], cells: [0, 2], caption: 'passed over' })],
    ]);
    const dataset = await open(path, { requirement: 'grid' }, { grid });
    expect(dataset.attributeNames).toEqual(['disc', 'red']);
    const { attributes, cells } = dataset.batchOf([1, 0]);
    expect([...attributes!]).toEqual([0, 0, 1, 1]);
    expect([...cells!]).toEqual([0, 2, 1, 0]);
    dataset.close();
  });

  it('splits by shard and name, so that names may come again in another shard', () => {
    const folder = temporaryFolder();
    for (const name of ['0.tar', '1.tar']) shard([png(10, 'a')], name, folder);
    expect(readImageShards([folder], 'none', undefined).entries.map(({ key }) => key)).toEqual([
      '0.tar/a.png',
      '1.tar/a.png',
    ]);
  });

  it('takes a list of shards from the folder of the experiment', async () => {
    shard([png(10, 'a')], 'first.tar', root);
    shard([png(20, 'a')], 'second.tar', root);
    const dataset = await open(['second.tar', 'first.tar']);
    expect(dataset.paths).toEqual(['second.tar', 'first.tar'].map((name) => join(root, name, 'a.png')));
    dataset.close();
  });

  const image: TarFile = { name: 'a.png', content: 'not decoded here' };
  it.each<[string, TarFile[], 'none' | 'class' | 'attributes' | 'grid', RegExp]>([
    ['no class', [image], 'class', /a\.cls: the objective needs a class per image/],
    [
      'an empty class',
      [image, { name: 'a.cls', content: ' ' }],
      'class',
      /a\.cls: expected the name or number of a class/,
    ],
    [
      'two classes',
      [image, { name: 'a.cls', content: '1\n2' }],
      'class',
      /a\.cls: expected one class, got several lines/,
    ],
    [
      'a class that is no text',
      [image, { name: 'a.cls', content: Buffer.from([0xff]) }],
      'class',
      /a\.cls: line 1: expected UTF-8/,
    ],
    [
      'a class of half a number',
      [image, json('a', { cls: 0.5 })],
      'class',
      /a\.json: cls: expected a name or a whole number, got 0\.5/,
    ],
    [
      'a class without an image',
      [{ name: 'a.cls', content: '1' }],
      'none',
      /'a': expected an image with the class, got none/,
    ],
    ['two images', [image, { name: 'a.jpg' }], 'none', /'a': expected one image, got jpg and png/],
    [
      'a sample in two places',
      [image, { name: 'b.png' }, { name: 'a.cls' }],
      'none',
      /a\.cls: expected the members of 'a' to follow/,
    ],
    [
      'no attributes',
      [image, json('a', {})],
      'attributes',
      /a\.json: attributes: the objective needs attributes per image/,
    ],
    [
      'attributes that are none',
      [image, json('a', { attributes: 'red' })],
      'attributes',
      /a\.json: attributes: expected an array of names, got "red"/,
    ],
    [
      'a blank attribute',
      [image, json('a', { attributes: ['red', ' '] })],
      'attributes',
      /attributes\[1\]: expected a name that is not blank/,
    ],
    [
      'no attribute anywhere',
      [image, json('a', { attributes: [] })],
      'attributes',
      /expected a name in at least one image/,
    ],
    [
      'no cells',
      [image, json('a', {})],
      'grid',
      /a\.json: cells: expected 2 integers \(1 rows × 2 cols × 1 attributes\), got nothing/,
    ],
    [
      'a cell out of range',
      [image, json('a', { cells: [0, 3] })],
      'grid',
      /a\.json: cells\[1\]: expected a value of 'colour' in 0\.\.2, got 3/,
    ],
    ['bad JSON', [image, { name: 'a.json', content: '{' }], 'attributes', /a\.json: not valid JSON/],
    [
      'labels too long',
      [image, { name: 'a.cls', content: Buffer.alloc(2 ** 20 + 1, 'a') }],
      'class',
      /at most 1048576 bytes, got 1048577/,
    ],
    ['no image', [{ name: 'readme.md' }], 'none', /expected shards with at least one image, got none/],
    ['a name that leads out', [{ name: '../a.png' }], 'none', /leads out of it by '\.\.'/],
    ['an absolute name', [{ name: '/etc/a.png' }], 'none', /is absolute/],
    ['a link', [{ name: 'a.png', type: '2' }], 'none', /is a symbolic link/],
  ])('refuses %s, naming the shard', (_name, files, requirement, message) => {
    const path = shard(files);
    const line = userErrorLine(() => readImageShards([path], requirement, grid));
    expect(line).toMatch(message);
    expect(line).toContain(path);
  });

  it('refuses a shard that was cut off, and one that is not there', () => {
    const path = shard([png(10, 'a')]);
    truncateSync(path, 600);
    expect(userErrorLine(() => readImageShards([path], 'none', undefined))).toContain('the archive is truncated');
    expect(userErrorLine(() => readImageShards(['/gone/{0..9}.tar'], 'none', undefined))).toContain('are not expanded');
  });

  it('asks for the grid that cells need, and keeps them in place', async () => {
    const path = shard([image, json('a', { cells: [0, 1] })]);
    await expect(open(path, { requirement: 'grid' })).rejects.toThrow(/data\.grid: .*expected 'grid' next to the path/);
    await expect(open(path, { requirement: 'grid' }, { grid, resize: 'cover' })).rejects.toThrow(ConfigError);
  });

  it('reads any damaged shard, or throws one line', () => {
    const path = join(root, 'damaged.tar');
    const valid = tarBytes([
      ...[png(10, 'a'), { name: 'a.cls', content: '3' }, json('a', { attributes: ['red'], cells: [1, 0] })],
      ...[png(20, 'b'), json('b', { cls: 'x', attributes: [], cells: [0, 2] })],
    ]);
    const change = fc.record({
      at: fc.nat(valid.length - 1),
      remove: fc.nat(600),
      insert: fc.string({ maxLength: 9 }),
    });
    const part = fc.oneof(fc.jsonValue(), fc.constant(undefined));
    const damaged = fc.oneof(
      fc
        .array(change, { minLength: 1, maxLength: 3 })
        .map((changes) =>
          changes.reduce(
            (bytes, { at, remove, insert }) =>
              Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + remove)]),
            valid,
          ),
        ),
      // Whole archives whose labels are anything.
      fc
        .tuple(fc.record({ cls: part, attributes: part, cells: part }), fc.string())
        .map(([value, text]) =>
          tarBytes([png(10, 'a'), json('a', value), png(20, 'b'), { name: 'b.cls', content: text }, json('b', value)]),
        ),
      fc
        .tuple(fc.string({ maxLength: 40 }), fc.constantFrom('0', '1', '2', '5', '7'))
        .map(([name, type]) => tarBytes([png(10, 'a'), { name: `${name}.cls`, content: '1', type }])),
    );
    let refused = 0;
    fc.assert(
      fc.property(
        damaged,
        fc.constantFrom('none' as const, 'class' as const, 'attributes' as const, 'grid' as const),
        (bytes, requirement) => {
          writeFileSync(path, bytes);
          try {
            const { entries, labels, attributes, attributeNames, cells } = readImageShards([path], requirement, grid);
            // Every image lies inside the archive, and has every label.
            for (const { member } of entries) expect(member!.offset + member!.length).toBeLessThanOrEqual(bytes.length);
            if (requirement === 'class') expect(labels).toHaveLength(entries.length);
            if (requirement === 'attributes') expect(attributes).toHaveLength(entries.length * attributeNames!.length);
            if (requirement === 'grid') expect(cells).toHaveLength(entries.length * 2);
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
            expect(error.message).toMatch(/^[^\n\r]+$/);
            expect(error.message).toContain(path);
            refused++;
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(50);
  });
});
