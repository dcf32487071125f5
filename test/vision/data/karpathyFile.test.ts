import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImageDataConfig } from '#vision';
import { openImageDataset } from '../../../vision/data/imageDataset.js';
import { readKarpathyFile } from '../../../vision/data/karpathyFile.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';
import { writeImage, writeJson } from './sampleImages.js';

const images = [
  { imgid: 0, filename: 'a.png', filepath: 'train2014', split: 'train', sentences: [{ raw: 'a' }] },
  { imgid: 1, filename: 'b.png', filepath: 'val2014', split: 'restval', sentences: [] },
  { imgid: 2, filename: 'c.png', filepath: 'val2014/', split: 'test' },
];
const write = (folder: string, json: unknown = { images, dataset: 'coco' }): string =>
  writeJson(join(folder, 'dataset_coco.json'), json);

describe('readKarpathyFile', () => {
  it('has the images of the splits, in folders of the image folder', () => {
    const folder = temporaryFolder();
    const keys = (splits: readonly ('train' | 'restval' | 'val' | 'test')[]): string[] =>
      readKarpathyFile(write(folder), folder, splits).entries.map(({ key }) => key);
    expect(keys(['train', 'restval'])).toEqual(['train2014/a.png', 'val2014/b.png']);
    expect(keys(['test'])).toEqual(['val2014/c.png']);
    expect(userErrorLine(() => keys(['val']))).toContain('has no images of the split val');
  });

  it('names the entry and field that are wrong', () => {
    const folder = temporaryFolder();
    const read = (image: object) => () => readKarpathyFile(write(folder, { images: [image] }), folder, ['train']);
    expect(userErrorLine(read({ split: 'train' }))).toContain('dataset_coco.json: images[0].filename: expected');
    expect(userErrorLine(read({ filename: 'a.png', split: 'x' }))).toContain('images[0].split: expected');
    expect(userErrorLine(read({ filename: '../a.png', split: 'train' }))).toContain('images[0].filename: expected');
  });

  it('is opened as data of kind karpathy, which have no labels', async () => {
    const folder = temporaryFolder();
    const path = write(folder);
    await writeImage(join(folder, 'train2014/a.png'), [255, 0, 0]);
    await writeImage(join(folder, 'val2014/b.png'), [0, 255, 0]);
    const config = ImageDataConfig.parse({ kind: 'karpathy', path, split: ['train', 'restval'] });
    const options = { baseDir: folder, cacheDir: join(folder, 'cache'), imageSize: 8 } as const;
    const dataset = await openImageDataset(config, { ...options, requirement: 'none' });
    expect([...dataset.batchOf([0, 1]).pixelValues.subarray(0, 3)]).toEqual([1, -1, -1]);
    expect(dataset.size).toBe(2);
    dataset.close();
    await expect(openImageDataset(config, { ...options, requirement: 'attributes' })).rejects.toThrow(
      "the objective needs attributes per image, kind 'karpathy' has none",
    );
  });
});
