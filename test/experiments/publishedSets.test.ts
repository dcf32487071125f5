import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type CaptionSource, loadCaptions } from '#captions/formats';
import { parseExperiment } from '#experiments';
import { openImageDataset } from '#vision';
import { temporaryFolder } from '../support/temporaryFolder.js';

const experiments = resolve(import.meta.dirname, '../../experiments');

/** Pictures of each split, with the folders in which the published archives have them. */
const LAYOUTS = [
  { name: 'flickr8k', photos: 'Flickr8k_Dataset', splits: { train: '', val: '', test: '' } },
  { name: 'flickr30k', photos: 'flickr30k_images', splits: { train: '', val: '', test: '' } },
  {
    name: 'coco',
    photos: '.',
    splits: { train: 'train2014', restval: 'val2014', val: 'val2014', test: 'val2014' },
  },
];

/** A published set in miniature: two pictures a split, five captions each. Returns the folder of the run. */
async function writeSet({ name, photos, splits }: (typeof LAYOUTS)[number]): Promise<string> {
  const folder = temporaryFolder();
  const data = join(folder, 'data', name);
  const pictures = Object.entries(splits).flatMap(([split, filepath]) => [1, 2].map((i) => ({ split, filepath, i })));
  const images = pictures.map(({ split, filepath, i }, imgid) => ({
    ...(filepath === '' ? {} : { filepath, cocoid: 100 + imgid }),
    ...{ imgid, filename: `${split}_${i}.jpg`, split, sentids: [] },
    sentences: [1, 2, 3, 4, 5].map((k) => ({
      raw: `${split} picture ${i}, caption ${k}.`,
      tokens: [],
      imgid,
      sentid: k,
    })),
  }));
  for (const { filename, filepath = '.' } of images as { filename: string; filepath?: string }[]) {
    const path = join(data, photos, filepath, filename);
    mkdirSync(dirname(path), { recursive: true });
    await sharp({ create: { width: 30, height: 20, channels: 3, background: '#336699' } }).toFile(path);
  }
  writeFileSync(join(data, `dataset_${name}.json`), JSON.stringify({ images, dataset: name }));
  return join(folder, 'runs', name);
}

describe.each(LAYOUTS)('experiments/$name', (layout) => {
  const read = (stage: string) => parseExperiment(join(experiments, layout.name, `${stage}.yaml`)).config;
  const trained = 'restval' in layout.splits ? ['restval', 'train'] : ['train'];

  it('trains every stage on the training split alone, and tests on the test split', async () => {
    const root = await writeSet(layout);
    const splitsOf = (source: CaptionSource, requireImageFiles = false): string[] =>
      [...new Set(loadCaptions(source, { root, requireImageFiles }).map(({ split }) => String(split)))].sort();
    const [vision, language, tokenizer] = [read('vision'), read('language'), read('tokenizer')];
    const [align, evaluate] = [read('align'), read('evaluate')];
    if (vision.kind !== 'vision' || language.kind !== 'language' || tokenizer.kind !== 'tokenizer') throw new Error();
    if (align.kind !== 'align' || evaluate.kind !== 'evaluate') throw new Error();

    const options = { baseDir: root, cacheDir: join(root, 'cache'), imageSize: 8, requirement: 'none' } as const;
    for (const [data, splits] of [
      [vision.data.train, trained],
      [vision.data.validation, ['val']],
    ] as const) {
      if (data === undefined) throw new Error('expected validation images');
      const dataset = await openImageDataset(data, options);
      expect([...new Set(dataset.paths.map((path) => /(\w+)_\d\.jpg$/.exec(path)?.[1]))].sort()).toEqual(splits);
      dataset.close();
    }
    const texts = [...language.data.files, ...tokenizer.files] as CaptionSource[];
    expect(texts.map((source) => splitsOf(source))).toEqual([trained, trained]);
    expect((language.data.validationFiles as CaptionSource[]).map((source) => splitsOf(source))).toEqual([['val']]);
    const pairs = [align.data.train, evaluate.train!, align.data.validation, ...evaluate.sets];
    expect(pairs.map(({ captions }) => splitsOf(captions, true))).toEqual([trained, trained, ['val'], ['test']]);
    const [test] = evaluate.sets.map(({ captions }) => loadCaptions(captions, { root }));
    expect(test.map(({ captions }) => captions.length)).toEqual([5, 5]);
  });

  it('is a pipeline whose stages go together', () => {
    const pipeline = read('pipeline');
    const merge = read('merge');
    if (pipeline.kind !== 'pipeline' || merge.kind !== 'merge') throw new Error();
    expect([merge.vision, merge.language]).toEqual([read('vision').name, read('language').name]);
    expect(pipeline.scenes).toBeUndefined();
  });
});
