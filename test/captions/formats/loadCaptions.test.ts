import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CaptionSource, captionSourceArgument, captionsById, listImages, loadCaptions } from '#captions/formats';
import { AlignExperiment } from '#fusion';
import { loadConfig } from '#src/config';
import { ConfigError } from '#src/errors';
import { readBytes } from '#src/storage';
import { SAME_CAPTIONS, writeEveryFormat } from '../../support/captionFormats.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

const FORMATS = [
  'coco',
  'nocaps',
  'karpathy',
  'flickr8k',
  'csv',
  'sidecar',
  'webdataset',
  'coco by its path',
  'nocaps by its path',
  'flickr8k by its path',
  'csv by its path',
  'a folder by its path',
  'shards by their folder',
];

describe('loadCaptions', () => {
  it('gives the same records of the same data in every format', async () => {
    const sources = await writeEveryFormat(temporaryFolder());
    expect(Object.keys(sources)).toEqual(FORMATS);
    for (const [name, source] of Object.entries(sources)) {
      const images = loadCaptions(CaptionSource.parse(source), { requireImageFiles: true });
      const expected = SAME_CAPTIONS.map((image, i) => ({ id: i + 1, ...image }));
      const got = images.map(({ id, fileName, captions }) => ({ id, fileName, captions }));
      expect(got, name).toEqual(expected);
      for (const image of images) {
        expect(basename(image.path), name).toBe(image.fileName);
        expect(readBytes(image, 'image').subarray(1, 4).toString(), name).toBe('PNG');
      }
    }
  });

  it('takes paths from the root, and the images of a bare path from the given folder', async () => {
    const folder = temporaryFolder();
    await writeEveryFormat(folder);
    const first = (source: CaptionSource, images?: string): string =>
      loadCaptions(source, { root: folder, images, requireImageFiles: true })[0].path;
    expect(first('coco.json')).toBe(join(folder, 'images/bird.png'));
    expect(first('coco.json', 'sidecar')).toBe(join(folder, 'sidecar/bird.png'));
    expect(first({ format: 'coco', path: 'coco.json', images: 'sidecar' })).toBe(join(folder, 'sidecar/bird.png'));
    expect(first({ format: 'webdataset', path: ['shards'] })).toBe(join(folder, 'shards/000000.tar/bird.png'));
    // Kaggle names the folder with a capital.
    renameSync(join(folder, 'images'), join(folder, 'Images'));
    expect(first('captions.txt')).toMatch(/[Ii]mages\/bird.png$/);
    mkdirSync(join(folder, 'bare'));
    renameSync(join(folder, 'coco.json'), join(folder, 'bare/coco.json'));
    expect(loadCaptions(join(folder, 'bare/coco.json'))[0].path).toBe(join(folder, 'bare/bird.png'));
  });

  it('names the first missing images and counts them', async () => {
    const folder = temporaryFolder();
    await writeEveryFormat(folder);
    rmSync(join(folder, 'images/cat.png'));
    const load = (requireImageFiles: boolean) => loadCaptions('coco.json', { root: folder, requireImageFiles });
    expect(load(false)).toHaveLength(3);
    expect(userErrorLine(() => load(true))).toBe(
      `${join(folder, 'coco.json')}: expected the file of every image, 1 of 3 missing: "${join(folder, 'images/cat.png')}"; set 'images' to the folder that contains them`,
    );
    const many = Array.from({ length: 50 }, (_, id) => ({ id, file_name: `${id}.png` }));
    writeFileSync(join(folder, 'many.json'), JSON.stringify({ images: many, annotations: [] }));
    const line = userErrorLine(() => loadCaptions('many.json', { root: folder, requireImageFiles: true }));
    expect(line).toMatch(/50 of 50 missing: "\S+0.png", "\S+1.png", "\S+2.png" and 47 more;/);
  });

  it('asks which split of a Karpathy file is meant, with the answer', async () => {
    const folder = temporaryFolder();
    await writeEveryFormat(folder);
    const load = () => loadCaptions('dataset.json', { root: folder });
    expect(load).toThrow(ConfigError);
    const line = userErrorLine(load);
    const [, example] = line.match(/(\{.*\})/) as RegExpMatchArray;
    expect(loadCaptions(captionSourceArgument(example)).map(({ fileName }) => fileName)).toEqual(['bird.png']);
  });

  it('says so when the format does not show, the file is not there, or images are named for data that holds its own', async () => {
    const folder = temporaryFolder();
    await writeEveryFormat(folder);
    writeFileSync(join(folder, 'words.txt'), 'a grey cat\n');
    const line = (path: string, images?: string) => userErrorLine(() => loadCaptions(path, { root: folder, images }));
    writeFileSync(join(folder, 'empty.csv'), '\uFEFF\n');
    expect(line('empty.csv')).toContain('empty.csv: expected captions, got an empty file');
    expect(line('words.txt')).toMatch(/words.txt: unknown format: expected .*; name the format: \{ format: flickr8k/);
    expect(line('images/cat.png')).toContain('expected UTF-8 text');
    expect(line('absent.json')).toMatch(/cannot read captions \S+absent.json: no such file or folder/);
    expect(line('shards', 'images')).toMatch(
      /images: \S+shards contains its own images; expected a captions file with 'images'/,
    );
    expect(line('sidecar', 'images')).toContain('contains its own images');
  });
});

describe('CaptionSource', () => {
  it.each([
    [{ format: 'karpathy', path: 'x' }],
    [{ format: 'karpathy', path: 'x', split: 'dev' }],
    [{ format: 'karpathy', path: 'x', split: [] }],
    [{ format: 'nocaps', path: 'x', domain: 'out' }],
    [{ format: 'coco', path: 'x', split: 'train' }],
    [{ format: 'sidecar', path: 'x', images: 'y' }],
    [{ format: 'webdataset', path: [] }],
    [{ format: 'parquet', path: 'x' }],
    [{ path: 'x' }],
    [''],
  ])('refuses %j', (source) => {
    expect(CaptionSource.safeParse(source).success).toBe(false);
  });

  it('is written on a command line as YAML in braces', () => {
    expect(captionSourceArgument('some/path.json')).toBe('some/path.json');
    expect(captionSourceArgument('{format: karpathy, path: a.json, split: [train, restval]}')).toEqual({
      format: 'karpathy',
      path: 'a.json',
      split: ['train', 'restval'],
    });
    expect(userErrorLine(() => captionSourceArgument('{format: karpathi, path: a.json}'))).toContain(
      "did you mean 'karpathy'?",
    );
    expect(userErrorLine(() => captionSourceArgument('{format: coco, path: a.json, image: b}'))).toContain(
      "unknown key 'image' (did you mean 'images'?)",
    );
    expect(userErrorLine(() => captionSourceArgument('{format: ['))).toContain('not YAML');
  });
});

describe('listImages', () => {
  let folder: string;
  let sources: Record<string, CaptionSource>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
    sources = await writeEveryFormat(folder);
    return () => rmSync(folder, { recursive: true, force: true });
  });

  it.each(FORMATS)('lists the images of %s', (name) => {
    const source = sources[name];
    const argument = typeof source === 'string' ? source : JSON.stringify(source);
    expect(listImages(argument).map(({ fileName }) => fileName)).toEqual(SAME_CAPTIONS.map(({ fileName }) => fileName));
  });

  it('lists a folder and a single image without looking for captions', () => {
    const images = join(folder, 'images');
    expect(listImages(images)).toHaveLength(3);
    expect(listImages(join(images, 'cat.png'))).toEqual([
      { id: 1, fileName: 'cat.png', path: join(images, 'cat.png') },
    ]);
    expect(userErrorLine(() => listImages(join(images, 'lynx.png')))).toMatch(/cannot read images .*no such file/);
  });
});

describe('experiments', () => {
  const write = (captions: object): string => {
    const path = join(temporaryFolder(), 'align.yaml');
    const training = { steps: 1, batchSize: 1, learningRate: 0.1 };
    const data = { train: captions, validation: { captions: 'val.json' } };
    writeFileSync(path, JSON.stringify({ kind: 'align', name: 'x', model: 'merged', data, training }));
    return path;
  };
  const line = (captions: object): string => userErrorLine(() => loadConfig(write(captions), AlignExperiment));

  it('name captions by a path or by their format', () => {
    const source = { format: 'karpathy', path: 'dataset.json', split: 'train' };
    expect(loadConfig(write({ captions: source }), AlignExperiment).config.data.train.captions).toEqual(source);
    expect(loadConfig(write({ captions: 'a', images: 'b' }), AlignExperiment).config.data.train.images).toBe('b');
  });

  it('say what is wrong with a source', () => {
    expect(line({ captions: { format: 'nocap', path: 'a' } })).toMatch(
      /'data.train.captions.format': .*did you mean 'nocaps'/,
    );
    expect(line({ captions: { format: 'csv', path: 'a', split: 'b' } })).toContain(
      "unknown key 'data.train.captions.split'; known here: format, path, images, splitFile",
    );
    expect(line({ captions: { format: 'karpathy', path: 'a' } })).toContain("'data.train.captions.split'");
    expect(line({ captions: { format: 'coco', path: 'a' }, images: 'b' })).toContain(
      "'data.train.images': expected the image folder inside 'captions' when 'captions' names a format",
    );
  });
});

const emoji = join(process.env.TOKENFUSE_SHARED ?? '../shared', 'data/emoji');

describe('real data', () => {
  it.skipIf(!existsSync(emoji))('reads the names of emoji, every image file there', () => {
    for (const [split, count] of Object.entries({ train: 2700, val: 337, test: 337 })) {
      const images = loadCaptions(join(emoji, `captions_${split}.json`), { requireImageFiles: true });
      expect(images).toHaveLength(count);
      expect(images.every(({ captions }) => captions.length === 1)).toBe(true);
    }
  });
});

describe('captionsById', () => {
  it('leaves out images without captions', () => {
    const image = { fileName: 'a', path: 'a' };
    const images = [
      { id: 7, ...image, captions: ['a cat'] },
      { id: 3, ...image, captions: [] },
    ];
    expect([...captionsById(images)]).toEqual([[7, ['a cat']]]);
  });
});
