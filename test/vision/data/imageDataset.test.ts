import { cpSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, UserError } from '#src/errors';
import {
  AugmentConfig,
  ImageDataConfig,
  type ImageDataset,
  type OpenOptions,
  openImageDataset,
} from '../../../vision/data/index.js';
import { withProgress } from '../../support/withProgress.js';
import { packFolders, temporaryFolder, writeImage, writeJson, writePixels } from './sampleImages.js';

const SIZE = 4;
const ROW = SIZE * SIZE * 3;
const root = temporaryFolder();
const cacheDir = join(root, 'cache');
const open = (config: object, options: Partial<OpenOptions> = {}): Promise<ImageDataset> =>
  openImageDataset(ImageDataConfig.parse(config), {
    baseDir: root,
    cacheDir,
    imageSize: SIZE,
    requirement: 'none',
    ...options,
  });
const openClasses = (more: object = {}, options: Partial<OpenOptions> = {}): Promise<ImageDataset> =>
  open({ kind: 'classFolders', path: 'animals', ...more }, { requirement: 'class', ...options });
/** The red byte of each image, which in the class folders tells which image it is. */
const reds = (batch: { pixelValues: Float32Array; batch: number }): number[] =>
  Array.from({ length: batch.batch }, (_, i) => Math.round((batch.pixelValues[i * ROW] + 1) * 127.5));

const gridJson = {
  images: [
    { id: 1, file_name: 'half.png', cells: [1, 0] },
    { id: 2, file_name: 'other.png', cells: [0, 2] },
  ],
  categories: [
    { id: 1, name: 'red' },
    { id: 2, name: 'blue' },
  ],
  annotations: [
    { image_id: 1, category_id: 1 },
    { image_id: 2, category_id: 2 },
  ],
  grid: { rows: 1, cols: 2, attributes: [{ name: 'colour', values: ['none', 'red', 'blue'] }] },
};

beforeAll(async () => {
  // Classes in name order: cat (red 10, 20, 30), dog (110, 120), owl (210, 220).
  for (const [name, values] of Object.entries({ dog: [110, 120], owl: [210, 220], cat: [10, 20, 30] })) {
    for (const value of values) await writeImage(join(root, 'animals', name, `${value}.png`), [value, 0, 0]);
  }
  writeFileSync(join(root, 'animals', 'dog', 'notes.txt'), 'not an image');
  mkdirSync(join(root, 'animals', '.hidden'));
  const red = [255, 0, 0];
  const black = [0, 0, 0];
  await writePixels(
    join(root, 'half.png'),
    4,
    4,
    Array(4)
      .fill([...red, ...red, ...black, ...black])
      .flat(),
  );
  await writeImage(join(root, 'other.png'), [0, 0, 255], 4);
  writeJson(join(root, 'grid.json'), gridJson);
});

describe('openImageDataset', () => {
  it('numbers class folders in name order', async () => {
    const dataset = await openClasses();
    expect(dataset.classNames).toEqual(['cat', 'dog', 'owl']);
    expect(dataset.size).toBe(7);
    const [batch] = dataset.validationBatches(7);
    expect([...(batch.labels ?? [])]).toEqual([0, 0, 0, 1, 1, 2, 2]);
    expect(reds(batch)).toEqual([10, 20, 30, 110, 120, 210, 220]);
    expect(dataset.paths[3]).toBe(join(root, 'animals', 'dog', '110.png'));
    dataset.close();
  });

  it('gives all images below a folder without labels, following links but not in circles', async () => {
    cpSync(join(root, 'animals'), join(root, 'linked'), { recursive: true });
    symlinkSync(join(root, 'linked'), join(root, 'linked', 'cat', 'up'));
    const dataset = await open({ kind: 'folder', path: 'linked' });
    expect(dataset.size).toBe(7);
    expect(dataset.batchAt(0, { batchSize: 2, seed: 1 })).not.toHaveProperty('labels', expect.anything());
    dataset.close();
  });

  it('gives attributes and cells of a COCO file', async () => {
    const dataset = await open({ kind: 'coco', annotations: 'grid.json' }, { requirement: 'grid' });
    const batch = dataset.batchOf([1, 0, 1]);
    expect([...(batch.attributes ?? [])]).toEqual([0, 1, 1, 0, 0, 1]);
    expect([...(batch.cells ?? [])]).toEqual([0, 2, 1, 0, 0, 2]);
    expect([...batch.indices]).toEqual([1, 0, 1]);
    dataset.close();
  });

  it('flips cells with their image, and only then', async () => {
    const dataset = await open({ kind: 'coco', annotations: 'grid.json' }, { requirement: 'grid' });
    const augment = AugmentConfig.parse({ horizontalFlip: 0.5 });
    const seen = new Set<string>();
    for (let step = 0; step < 40; step++) {
      const { pixelValues, cells, indices } = dataset.batchAt(step, { batchSize: 1, seed: 3, augment });
      if (indices[0] === 0) seen.add(`${pixelValues[0]} ${cells?.join('')}`);
    }
    expect(seen).toEqual(new Set(['1 10', '-1 01']));
    const crop = AugmentConfig.parse({ randomCrop: { padding: 1 } });
    expect(() => dataset.batchAt(0, { batchSize: 1, seed: 3, augment: crop })).toThrow(ConfigError);
    dataset.close();
  });

  it('drops broken images with their labels and keeps the position of the others', async () => {
    cpSync(join(root, 'animals'), join(root, 'damaged'), { recursive: true });
    writeFileSync(join(root, 'damaged', 'cat', '20.png'), 'text');
    await expect(open({ kind: 'classFolders', path: 'damaged' })).rejects.toThrow(/1 of 7 images broken/);
    const dataset = await open({ kind: 'classFolders', path: 'damaged', maxBrokenShare: 0.2 });
    expect(dataset.broken.map((image) => image.path)).toEqual([join(root, 'damaged', 'cat', '20.png')]);
    expect(dataset.indices).toEqual([0, 2, 3, 4, 5, 6]);
    const [batch] = dataset.validationBatches(10);
    expect(reds(batch)).toEqual([10, 30, 110, 120, 210, 220]);
    expect([...(batch.labels ?? [])]).toEqual([0, 0, 1, 1, 2, 2]);
    dataset.close();
  });

  it('decodes nothing when it is opened again', async () => {
    const own = join(root, 'ownCache');
    (await openClasses({}, { cacheDir: own })).close();
    const [pack] = packFolders(own);
    const before = statSync(join(pack, 'images.bin'), { bigint: true }).mtimeNs;
    const seen: string[] = [];
    const again = await withProgress(
      (line) => seen.push(line),
      () => openClasses({}, { cacheDir: own }),
    );
    again.close();
    expect(seen.filter((line) => line.startsWith('decoding'))).toEqual([]);
    expect(statSync(join(pack, 'images.bin'), { bigint: true }).mtimeNs).toBe(before);
  });
});

describe('batchAt', () => {
  it('shows every image once per epoch, whatever the batch size and the seed', async () => {
    const dataset = await openClasses();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer(),
        fc.integer({ min: 1, max: 4 }),
        (batchSize, seed, epochs) => {
          const order: number[] = [];
          for (let step = 0; order.length < epochs * dataset.size; step++) {
            order.push(...dataset.batchAt(step, { batchSize, seed }).indices);
          }
          for (let epoch = 0; epoch < epochs; epoch++) {
            const shown = order.slice(epoch * dataset.size, (epoch + 1) * dataset.size);
            expect([...shown].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
          }
        },
      ),
      { numRuns: 40 },
    );
    dataset.close();
  });

  it('depends on step, seed and batch size alone, not on what was asked before', async () => {
    const dataset = await openClasses();
    const augment = AugmentConfig.parse({
      horizontalFlip: 0.5,
      randomCrop: { padding: 1 },
      colorJitter: { brightness: 0.5 },
    });
    const options = { batchSize: 3, seed: 5, augment };
    const straight = Array.from({ length: 10 }, (_, step) => dataset.batchAt(step, options));
    const reopened = await openClasses();
    for (const step of [9, 0, 4]) expect(reopened.batchAt(step, options)).toEqual(straight[step]);
    expect(dataset.batchAt(0, { ...options, seed: 6 })).not.toEqual(straight[0]);
    expect(new Set(straight.map((batch) => batch.indices.join())).size).toBeGreaterThan(5);
    dataset.close();
    reopened.close();
  });
});

describe('validationBatches', () => {
  it('gives every image once, the last batch smaller', async () => {
    const dataset = await openClasses();
    const batches = [...dataset.validationBatches(3)];
    expect(batches.map((batch) => batch.batch)).toEqual([3, 3, 1]);
    expect(batches.flatMap((batch) => [...batch.indices])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    dataset.close();
  });

  it('limits itself to the same sample of the whole set', async () => {
    const dataset = await openClasses();
    const sample = () => [...dataset.validationBatches(2, 4)].flatMap((batch) => [...batch.indices]);
    expect(sample()).toHaveLength(4);
    expect(new Set(sample()).size).toBe(4);
    expect(sample()).toEqual(sample());
    expect(sample()).not.toEqual([0, 1, 2, 3]);
    dataset.close();
  });
});

describe('validationShare', () => {
  it('splits without overlap, and an image keeps its side when others come', async () => {
    for (let i = 0; i < 40; i++) await writeImage(join(root, 'many', 'x', `${i}.png`), [i, 0, 0], 4);
    const config = { kind: 'classFolders', path: 'many', validationShare: 0.25 };
    const sides = async (): Promise<string[][]> => {
      const train = await open(config);
      const validation = await open(config, { split: 'validation' });
      train.close();
      validation.close();
      return [[...train.paths], [...validation.paths]];
    };
    const [train, validation] = await sides();
    expect(validation.length).toBeGreaterThan(2);
    expect(validation.length).toBeLessThan(20);
    expect(new Set([...train, ...validation]).size).toBe(40);
    await writeImage(join(root, 'many', 'a', 'new.png'), [255, 0, 0], 4);
    const [, after] = await sides();
    expect(after.filter((path) => !path.endsWith('new.png'))).toEqual(validation);
  });

  it('names an empty side, and a validation split that was not configured', async () => {
    await expect(openClasses({ validationShare: 0.0001 }, { split: 'validation' })).rejects.toThrow(
      /animals: the validation split is empty \(validationShare 0.0001 of 7 images\)/,
    );
    await expect(openClasses({}, { split: 'validation' })).rejects.toThrow(ConfigError);
  });
});

describe('like', () => {
  it('numbers classes and attributes as the training set does', async () => {
    const train = await openClasses();
    await writeImage(join(root, 'fewer', 'owl', '1.png'), [1, 0, 0]);
    const config = { kind: 'classFolders', path: 'fewer' };
    const validation = await open(config, { like: train });
    expect(validation.classNames).toEqual(['cat', 'dog', 'owl']);
    expect([...(validation.batchOf([0]).labels ?? [])]).toEqual([2]);
    await expect(open(config, { like: { classNames: ['cat', 'owls'] } })).rejects.toThrow(
      "fewer: class 'owl' is not in the training data (did you mean 'owls'?)",
    );
    const coco = { kind: 'coco', annotations: 'grid.json' };
    const attributes = await open(coco, {
      requirement: 'attributes',
      like: { attributeNames: ['blue', 'green', 'red'] },
    });
    expect([...(attributes.batchOf([0, 1]).attributes ?? [])]).toEqual([0, 0, 1, 1, 0, 0]);
    const grid = { ...gridJson.grid, cols: 1 };
    await expect(open(coco, { requirement: 'grid', like: { grid } })).rejects.toThrow(/grid: expected the rows/);
    for (const dataset of [train, validation, attributes]) dataset.close();
  });
});

describe('wrong image data', () => {
  it('is named in one line', async () => {
    mkdirSync(join(root, 'bare', 'empty'), { recursive: true });
    const cases: [object, RegExp][] = [
      [{ kind: 'folder', path: 'nowhere' }, /nowhere: no such folder/],
      [{ kind: 'folder', path: 'grid.json' }, /expected a folder, got a file/],
      [{ kind: 'classFolders', path: 'nowhere' }, /nowhere: no such folder/],
      [{ kind: 'classFolders', path: 'animals/cat' }, /expected one folder per class, got none/],
      [{ kind: 'classFolders', path: 'bare' }, /^empty dataset: .*bare\/empty, got no files/],
      [{ kind: 'folder', path: 'bare' }, /^empty dataset: /],
      [{ kind: 'coco', annotations: 'nowhere.json' }, /nowhere\.json: no such file/],
      [{ kind: 'coco', annotations: 'animals/dog/notes.txt' }, /notes\.txt: not valid JSON/],
    ];
    for (const [config, message] of cases) {
      const failure = await open(config).catch((error: Error) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect((failure as Error).message).toMatch(message);
      expect((failure as Error).message).not.toContain('\n');
    }
  });

  it('is refused before it is read when its kind cannot carry the labels', async () => {
    await expect(open({ kind: 'coco', annotations: 'gone.json' }, { requirement: 'class' })).rejects.toThrow(
      "data: the objective needs a class per image, kind 'coco' has none; use kind 'classFolders'",
    );
    await expect(open({ kind: 'folder', path: 'gone' }, { requirement: 'attributes' })).rejects.toThrow(ConfigError);
    await expect(openClasses({}, { requirement: 'grid' })).rejects.toThrow(ConfigError);
    await expect(
      open({ kind: 'coco', annotations: 'grid.json', resize: 'cover' }, { requirement: 'grid' }),
    ).rejects.toThrow(/data\.resize: expected 'stretch'/);
  });

  it('is refused by the schema when a key is unknown or does not belong to the kind', () => {
    expect(ImageDataConfig.safeParse({ kind: 'folder', path: 'x', annotations: 'y' }).success).toBe(false);
    expect(ImageDataConfig.safeParse({ kind: 'zip', path: 'x' }).success).toBe(false);
    expect(ImageDataConfig.safeParse({ kind: 'folder', path: 'x', validationShare: 1 }).success).toBe(false);
  });
});

const shared = process.env.TOKENFUSE_SHARED ?? '../shared';
const cifar = join(shared, 'data/cifar10-subset/test');
const emoji = join(shared, 'data/emoji');

describe('real data', () => {
  it.skipIf(!existsSync(cifar))('loads a part of CIFAR-10 in class folders', async () => {
    const part = join(root, 'cifar');
    for (const name of ['cat', 'ship', 'truck']) {
      for (let i = 0; i < 10; i++) {
        const file = `${String(i).padStart(4, '0')}.jpg`;
        cpSync(join(cifar, name, file), join(part, name, file));
      }
    }
    const dataset = await open({ kind: 'classFolders', path: 'cifar' }, { requirement: 'class', imageSize: 32 });
    expect(dataset.size).toBe(30);
    expect(dataset.broken).toEqual([]);
    const { pixelValues, labels } = dataset.batchAt(0, { batchSize: 30, seed: 0 });
    expect([0, 1, 2].map((label) => labels?.filter((l) => l === label).length)).toEqual([10, 10, 10]);
    const mean = pixelValues.reduce((sum, value) => sum + value, 0) / pixelValues.length;
    expect(Math.abs(mean)).toBeLessThan(0.4);
    dataset.close();
  });

  it.skipIf(!existsSync(emoji))('loads COCO captions for a label-free objective', async () => {
    const annotations = join(process.cwd(), emoji, 'captions_val.json');
    const dataset = await open({ kind: 'coco', annotations }, { imageSize: 16 });
    expect(dataset.size).toBe(337);
    expect(dataset.batchAt(3, { batchSize: 8, seed: 0 }).pixelValues).toHaveLength(8 * 16 * 16 * 3);
    dataset.close();
  });
});
