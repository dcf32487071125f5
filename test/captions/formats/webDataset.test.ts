import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCaptions } from '#captions/formats';
import { readBytes } from '#src/storage';
import { type TarFile, tarBytes } from '../../support/tarBytes.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

function shard(files: readonly TarFile[], folder = temporaryFolder(), name = '000000.tar'): string {
  writeFileSync(join(folder, name), tarBytes(files));
  return join(folder, name);
}

const load = (...paths: string[]) => loadCaptions({ format: 'webdataset', path: paths });

describe('WebDataset shards', () => {
  it('group members by their name up to the first dot, and read images where they lie', () => {
    const long = 'deep/'.repeat(30);
    const path = shard([
      { name: 'a/', type: '5' },
      { name: 'a/0.jpg', content: 'image 0' },
      { name: 'a/0.seg.png', content: 'not the image' },
      { name: 'a/0.txt', content: 'a cat\n\n a grey cat \n' },
      { name: 'a/1.x/0.PNG', content: 'image 1' },
      { name: 'a/1.x/0.JSON', content: '{"caption": " a dog ", "width": 4}' },
      { name: 'a/._0.jpg', content: 'what macOS adds' },
      { name: 'a/.hidden.jpg', content: 'hidden' },
      { name: 'README', content: 'no sample' },
      { name: 'meta.yaml', content: 'no image, no captions' },
      { name: `${long}2.webp`, content: 'image 2', dialect: 'pax' },
      { name: `${long}2.json`, content: '{"captions": ["one", "two"]}', dialect: 'gnu' },
      { name: '3.jpeg', content: 'image 3' },
      { name: '3.json', content: '{"caption": null, "sha": "x"}' },
    ]);
    const images = load(path);
    expect(images.map(({ id, fileName, captions }) => [id, fileName, captions])).toEqual([
      [1, 'a/0.jpg', ['a cat', 'a grey cat']],
      [2, 'a/1.x/0.PNG', ['a dog']],
      [3, `${long}2.webp`, ['one', 'two']],
      [4, '3.jpeg', []],
    ]);
    expect(images.map((image) => readBytes(image, 'image').toString())).toEqual([0, 1, 2, 3].map((i) => `image ${i}`));
    expect(images[0].path).toBe(join(path, 'a/0.jpg'));
  });

  it('count on from shard to shard, a folder in name order', () => {
    const folder = temporaryFolder();
    for (const i of [10, 2, 1]) {
      shard([{ name: 'x.jpg' }, { name: 'x.txt', content: `shard ${i}` }], folder, `${String(i).padStart(2, '0')}.tar`);
    }
    writeFileSync(join(folder, 'notes.txt'), 'no shard');
    expect(load(folder).map(({ id, captions }) => [id, captions[0]])).toEqual([
      [1, 'shard 1'],
      [2, 'shard 2'],
      [3, 'shard 10'],
    ]);
    expect(load(join(folder, '10.tar'), join(folder, '02.tar')).map(({ captions }) => captions[0])).toEqual([
      'shard 10',
      'shard 2',
    ]);
  });

  const jpg = { name: '0.jpg', content: 'x' };
  it.each<[string, TarFile[], RegExp]>([
    ['two images in a sample', [jpg, { name: '0.png' }], /'0': expected one image, got jpg and png/],
    [
      'captions without an image',
      [{ name: '1.txt', content: 'a' }],
      /'1': expected an image with the captions, got none/,
    ],
    [
      'a sample in two places',
      [jpg, { name: '1.jpg' }, { name: '0.txt', content: 'a' }],
      /0.txt: expected the members of '0' to follow one another/,
    ],
    [
      'an empty text',
      [jpg, { name: '0.txt', content: '\n' }],
      /000000.tar\/0.txt: expected a caption with at least one word/,
    ],
    ['other bytes', [jpg, { name: '0.txt', content: Buffer.from([0xff]) }], /0.txt: line 1: expected UTF-8 text/],
    ['bad JSON', [jpg, { name: '0.json', content: '{' }], /cannot read captions \S+000000.tar\/0.json: not valid JSON/],
    [
      'a list as JSON',
      [jpg, { name: '0.json', content: '[]' }],
      /0.json: the file: expected an object, got an empty array/,
    ],
    [
      'a number as caption',
      [jpg, { name: '0.json', content: '{"caption": 3}' }],
      /0.json: caption: expected a string, got 3/,
    ],
    [
      'a blank caption',
      [jpg, { name: '0.json', content: '{"captions": ["a", " "]}' }],
      /0.json: captions\[1\]: expected a caption with at least one word/,
    ],
    [
      'a text too long',
      [jpg, { name: '0.txt', content: Buffer.alloc(2 ** 20 + 1, 'a') }],
      /at most 1048576 bytes, got 1048577/,
    ],
    ['no image', [{ name: 'readme.md' }], /expected shards with at least one image, got none/],
    ['nothing', [], /expected shards with at least one image, got none/],
    ['a name that leads out', [{ name: '../0.jpg' }], /leads out of it by '\.\.'/],
    ['an absolute name', [{ name: '/0.jpg' }], /is absolute/],
    ['a link', [{ name: '0.jpg', type: '2' }], /is a symbolic link/],
  ])('are refused with %s', (_name, files, message) => {
    const path = shard(files);
    const line = userErrorLine(() => load(path));
    expect(line).toMatch(message);
    expect(line).toContain(path);
  });

  it('are refused when cut, missing, or a folder without any', () => {
    const path = shard([jpg, { name: '0.txt', content: 'a' }]);
    truncateSync(path, 700);
    expect(userErrorLine(() => load(path))).toContain('the archive is truncated');
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'empty'));
    expect(userErrorLine(() => load(join(folder, 'empty')))).toContain('expected a folder with .tar shards, got none');
    expect(userErrorLine(() => load(join(folder, '{000..009}.tar')))).toContain(
      'braces and wildcards are not expanded',
    );
  });
});
