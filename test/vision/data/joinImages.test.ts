import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImageDataConfig } from '#vision';
import { openImageDataset } from '../../../vision/data/imageDataset.js';
import { joinImages } from '../../../vision/data/joinImages.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { rejectedLine } from '../../support/thrown.js';
import { writeImage, writeJson } from './sampleImages.js';

const entry = (key: string) => ({ key, path: key });
const one = {
  entries: [entry('a'), entry('b')],
  attributeNames: ['red', 'big'],
  attributes: Uint8Array.of(1, 0, 0, 1),
};
const other = { entries: [entry('c')], attributeNames: ['blue', 'red'], attributes: Uint8Array.of(1, 1) };

describe('joinImages', () => {
  it('gives each image its attributes among those of all', () => {
    const joined = joinImages([one, other, { entries: [entry('d')] }]);
    expect(joined.entries.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'd']);
    expect(joined.attributeNames).toEqual(['big', 'blue', 'red']);
    expect([...joined.attributes!]).toEqual([...[0, 0, 1], ...[1, 0, 0], ...[0, 1, 1], ...[0, 0, 0]]);
  });

  it('changes nothing about a single source, and needs no attributes', () => {
    expect(joinImages([one])).toBe(one);
    expect(joinImages([{ entries: [entry('a')] }, { entries: [entry('b')] }])).toEqual({
      entries: [entry('a'), entry('b')],
    });
  });
});

describe('several files of kind coco', () => {
  it('are one data set', async () => {
    const folder = temporaryFolder();
    const annotations: string[] = [];
    for (const [name, colour] of [
      ['red', [255, 0, 0]],
      ['green', [0, 255, 0]],
    ] as const) {
      await writeImage(join(folder, name, 'images/1.png'), [...colour]);
      annotations.push(
        writeJson(join(folder, name, 'labels.json'), {
          images: [{ id: 1, file_name: '1.png' }],
          categories: [{ id: 1, name }],
          annotations: [{ image_id: 1, category_id: 1 }],
        }),
      );
    }
    const options = { baseDir: '.', cacheDir: join(folder, 'cache'), imageSize: 8 } as const;
    const config = ImageDataConfig.parse({ kind: 'coco', annotations });
    const dataset = await openImageDataset(config, { ...options, requirement: 'attributes' });
    expect(dataset.attributeNames).toEqual(['green', 'red']);
    const { pixelValues, attributes } = dataset.batchOf([0, 1]);
    expect([...attributes!]).toEqual([0, 1, 1, 0]);
    expect([...pixelValues.subarray(0, 3)]).toEqual([1, -1, -1]);
    dataset.close();
    expect(await rejectedLine(openImageDataset(config, { ...options, requirement: 'grid' }))).toBe(
      'data.annotations: expected one file with labels on a grid, got 2',
    );
  });
});
