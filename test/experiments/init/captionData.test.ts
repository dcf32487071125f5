import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { CaptionedImage } from '#captions/formats';
import { readCaptionData, readCaptionFiles, splitCaptions } from '../../../experiments/init/captionData.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';

const image = (id: number, split?: string): CaptionedImage => ({
  ...{ id, fileName: `${id}.jpg`, path: `${id}.jpg`, captions: ['a card'] },
  ...(split === undefined ? {} : { split }),
});
const ids = (images: readonly CaptionedImage[]): number[] => images.map(({ id }) => id);

it('takes the splits that the data have', () => {
  const images = [image(1, 'train'), image(2, 'test'), image(3, 'restval'), image(4, 'val')];
  const { train, validation, test, given } = splitCaptions(images);
  expect([ids(train), ids(validation), ids(test), given]).toEqual([[1, 3], [4], [2], true]);
});

it('draws from the training images what the data lack', () => {
  const images = Array.from({ length: 30 }, (_, i) => image(i, i < 10 ? 'test' : 'train'));
  const { train, validation, test, given } = splitCaptions(images);
  expect(given).toBe(false);
  expect(ids(test)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(validation).toHaveLength(2);
  expect(ids([...train, ...validation]).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 10));
});

it('reads every split of a Karpathy file', () => {
  const folder = temporaryFolder();
  const images = ['train', 'val', 'test'].map((split, i) => {
    writeFileSync(join(folder, `${i}.jpg`), '');
    return { imgid: i, filename: `${i}.jpg`, split, sentences: [{ raw: 'a card' }] };
  });
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify({ images }));
  const data = readCaptionData(join(folder, 'dataset.json'), undefined);
  expect(data.format).toBe('Karpathy splits');
  expect(data.images.map(({ split }) => split)).toEqual(['train', 'val', 'test']);
});

it('leaves out images without captions, and refuses too few', () => {
  const folder = temporaryFolder();
  const write = (numCaptioned: number): string => {
    const path = join(folder, 'captions.json');
    const images = [1, 2, 3, 4].map((id) => ({ id, file_name: `${id}.jpg` }));
    for (const { file_name } of images) writeFileSync(join(folder, file_name), '');
    const annotations = images.slice(0, numCaptioned).map(({ id }) => ({ image_id: id, caption: 'a card' }));
    writeFileSync(path, JSON.stringify({ images, annotations }));
    return path;
  };
  expect(readCaptionData(write(3), undefined)).toMatchObject({ format: 'COCO JSON', numWithoutCaptions: 1 });
  expect(() => readCaptionData(write(2), undefined)).toThrow('at least 3 images with captions');
});

it('takes the splits from a file each, and draws those that have none', () => {
  const folder = temporaryFolder();
  const file = (name: string, ...numbers: number[]): string => {
    for (const i of numbers) writeFileSync(join(folder, `${i}.jpg`), '');
    writeFileSync(join(folder, name), ['image,caption', ...numbers.map((i) => `${i}.jpg,card ${i}`)].join('\n'));
    return join(folder, name);
  };
  const captions = file('train.csv', 1, 2, 3, 4);
  const validation = file('val.csv', 5);
  const data = readCaptionFiles({ captions, validation, test: undefined, images: folder });
  const { train, validation: held, test, given } = splitCaptions(data.images);
  const texts = (images: readonly CaptionedImage[]): string[] => images.flatMap(({ captions }) => captions);
  expect(texts(held)).toEqual(['card 5']);
  expect(texts([...train, ...test]).sort()).toEqual(['card 1', 'card 2', 'card 3', 'card 4']);
  expect(given).toBe(false);
  expect(() => readCaptionFiles({ captions, validation, test: file('test.csv', 4), images: folder })).toThrow(
    /test\.csv: expected images of their own for test, got 4\.jpg, which is among those for training too/,
  );
});
