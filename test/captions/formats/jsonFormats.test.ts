import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CaptionedImage, type CaptionSource, loadCaptions, readPredictions } from '#captions/formats';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

function write(value: unknown): string {
  const path = join(temporaryFolder(), 'file.json');
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

const names = (images: readonly CaptionedImage[]): string[] => images.map(({ fileName }) => fileName);

const coco = () => ({
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

describe('COCO captions', () => {
  it('are read in file order, images without captions among them', () => {
    const images = loadCaptions(write(coco()));
    expect(images.map(({ id, fileName, captions }) => [id, fileName, captions])).toEqual([
      [7, 'seven.png', ['two dogs']],
      [3, 'three.png', ['a red ball', 'a ball']],
      [5, 'five.png', []],
    ]);
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
      'annotations[0].caption: expected a caption with at least one word (remove it), got " "',
    ],
    ['an id that is text', { images: [{ id: '3', file_name: 'a' }] }, 'images[0].id: expected an integer, got "3"'],
    ['a fraction as id', { images: [{ id: 1.5, file_name: 'a' }] }, 'images[0].id: expected an integer, got 1.5'],
    [
      'a giant id',
      { images: [{ id: 1e300, file_name: 'a' }] },
      'images[0].id: expected an integer within ±9007199254740991, got 1e+300',
    ],
    ['a missing file name', { images: [{ id: 1 }] }, 'images[0].file_name: expected a string, got nothing'],
    ['no images', { images: [] }, 'images: expected at least one image, got an empty array'],
    [
      'no annotations',
      { annotations: undefined },
      'annotations: expected an array of captions, got nothing: a list of images alone',
    ],
    [
      'an id used twice',
      {
        images: [
          { id: 3, file_name: 'a' },
          { id: 3, file_name: 'b' },
        ],
      },
      'images[1].id: expected a unique id, got 3, the id of images[0]',
    ],
    [
      'an unknown image',
      { annotations: [{ image_id: 99, caption: 'a' }] },
      'annotations[0].image_id: expected the id of an entry of images, got 99',
    ],
    ['several problems', { images: [{}, {}] }, '(and 3 more problems)'],
  ])('with %s are refused', (_name, part, message) => {
    const path = write({ ...coco(), ...part });
    const line = userErrorLine(() => loadCaptions(path));
    expect(line).toContain(message);
    expect(line).toContain(path);
  });

  it('are refused as a results file, as bad JSON, and with an infinite number', () => {
    const line = (value: unknown): string => userErrorLine(() => loadCaptions(write(value)));
    expect(line([{ image_id: 1, caption: 'a' }])).toContain('the file: expected an object with images and annotations');
    expect(line('{"images": [')).toContain('not valid JSON');
    expect(line('{"images": [{"id": 1e999, "file_name": "a"}], "annotations": []}')).toContain('images[0].id');
  });

  it('are refused without a crash when JSON is nested a hundred thousand deep', () => {
    const deep = '['.repeat(1e5) + ']'.repeat(1e5);
    expect(userErrorLine(() => loadCaptions(write(deep)))).toContain('expected an object with images');
    const inside = `{"images": [{"id": ${deep}, "file_name": "a"}], "annotations": []}`;
    expect(userErrorLine(() => loadCaptions(write(inside)))).toContain(
      'images[0].id: expected an integer, got an array',
    );
    expect(userErrorLine(() => readPredictions(write(deep)))).toContain('[0]: expected an object, got an array');
  });
});

describe('nocaps captions', () => {
  const nocaps = (domains: unknown[]) => ({
    images: domains.map((domain, id) => ({ id, file_name: `${id}.jpg`, open_images_id: 'x', domain })),
    annotations: domains.map((_, id) => ({ id, image_id: id, caption: 'a thing' })),
  });
  const all = ['near-domain', 'in-domain', 'out-domain', 'near-domain'];

  it('carry the domain of each image, named by the format or not', () => {
    const path = write(nocaps(all));
    expect(loadCaptions({ format: 'nocaps', path }).map(({ domain }) => domain)).toEqual(all);
    expect(loadCaptions(path).map(({ domain }) => domain)).toEqual(all);
  });

  it('are given of one domain alone', () => {
    const path = write(nocaps(all));
    expect(names(loadCaptions({ format: 'nocaps', path, domain: 'near-domain' }))).toEqual(['0.jpg', '3.jpg']);
    const none = write(nocaps(['in-domain']));
    expect(userErrorLine(() => loadCaptions({ format: 'nocaps', path: none, domain: 'out-domain' }))).toContain(
      'expected images of the domain out-domain, got none',
    );
  });

  it('are refused without a domain, or with another', () => {
    const line = (domain: unknown): string =>
      userErrorLine(() => loadCaptions({ format: 'nocaps', path: write(nocaps([domain])) }));
    const expected = 'images[0].domain: expected one of in-domain, near-domain, out-domain, got';
    expect(line('far')).toContain(`${expected} "far"`);
    expect(line(undefined)).toContain(`${expected} nothing`);
  });
});

describe('Karpathy splits', () => {
  const image = (imgid: number, split: string, more: object = {}) => ({
    imgid,
    split,
    filename: `${imgid}.jpg`,
    sentids: [imgid],
    sentences: [{ raw: ` Image ${imgid}. `, tokens: ['image', String(imgid)], imgid, sentid: imgid }],
    ...more,
  });
  const dataset = (...images: object[]) => ({ dataset: 'flickr8k', images });
  const karpathy = (path: string, split: unknown): CaptionSource =>
    ({ format: 'karpathy', path, split }) as CaptionSource;

  it('give the images of one split or several, with the raw sentences', () => {
    const path = write(dataset(image(0, 'train'), image(1, 'val'), image(2, 'restval'), image(3, 'test')));
    expect(loadCaptions(karpathy(path, 'val'))).toMatchObject([
      { id: 1, fileName: '1.jpg', split: 'val', captions: ['Image 1.'] },
    ]);
    expect(names(loadCaptions(karpathy(path, ['train', 'restval'])))).toEqual(['0.jpg', '2.jpg']);
  });

  it('take COCO ids and folders where there are some', () => {
    const more = { cocoid: 391895, filepath: 'val2014', filename: 'COCO_val2014_000000391895.jpg' };
    const path = write(dataset(image(0, 'test', more)));
    const source = { format: 'karpathy', path, images: '/coco', split: 'test' } as const;
    expect(loadCaptions(source)).toMatchObject([
      { id: 391895, path: '/coco/val2014/COCO_val2014_000000391895.jpg', fileName: `val2014/${more.filename}` },
    ]);
    // An image without one: the ids of all are those of the file.
    const mixed = write(dataset(image(0, 'test', more), image(1, 'test')));
    expect(loadCaptions(karpathy(mixed, 'test')).map(({ id }) => id)).toEqual([0, 1]);
  });

  it.each([
    ['an unknown split', [image(0, 'dev')], 'images[0].split: expected one of train, restval, val, test, got "dev"'],
    [
      'no sentences',
      [image(0, 'train', { sentences: undefined })],
      'images[0].sentences: expected an array, got nothing',
    ],
    [
      'a sentence without text',
      [image(0, 'train', { sentences: [{}] })],
      'images[0].sentences[0].raw: expected a caption with at least one word (remove it), got nothing',
    ],
    [
      'a blank sentence',
      [image(0, 'train', { sentences: [{ raw: '' }] })],
      'images[0].sentences[0].raw: expected a caption',
    ],
    ['text as id', [image(0, 'train', { imgid: '0' })], 'images[0].imgid: expected an integer, got "0"'],
    ['an id used twice', [image(4, 'train'), image(4, 'val')], 'images[1].imgid: expected a unique id, got 4'],
    [
      'other splits alone',
      [image(4, 'val'), image(5, 'test')],
      'expected images of the split train, got only val, test',
    ],
  ])('with %s are refused', (_name, images, message) => {
    const path = write(dataset(...images));
    const line = userErrorLine(() => loadCaptions(karpathy(path, 'train')));
    expect(line).toContain(message);
    expect(line).toContain(path);
  });
});
