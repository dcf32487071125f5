import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listImages } from '#captions/formats';
import { UserError } from '#src/errors';

const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

const pictures = join(folder, 'pictures');
mkdirSync(join(pictures, 'inner.png'), { recursive: true });
const NAMES = [
  'b.PNG',
  'a.jpg',
  'c.tiff',
  'd.webp',
  'e.gif',
  'f.avif',
  'g.jpeg',
  'h.JFIF',
  'inner.png/i.jpe',
  'k.heic',
  'notes.txt',
];
for (const name of [...NAMES, '.hidden.png', 'Thumbs.db', '.DS_Store']) {
  writeFileSync(join(pictures, name), '');
}

describe('listImages of a folder', () => {
  it('lists image files by name, numbered from 1, and nothing else', () => {
    const images = listImages(pictures);
    expect(images.map(({ fileName }) => fileName)).toEqual([
      'a.jpg',
      'b.PNG',
      'c.tiff',
      'd.webp',
      'e.gif',
      'f.avif',
      'g.jpeg',
      'h.JFIF',
      'inner.png/i.jpe',
    ]);
    expect(images.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(images[1].path).toBe(join(pictures, 'b.PNG'));
  });

  it('says what it passes over', () => {
    const lines: string[] = [];
    listImages(pictures, { note: (line) => lines.push(line) });
    expect(lines).toEqual([`${pictures}: 2 files passed over: k.heic (cannot be decoded here), notes.txt`]);
  });

  it('refuses an empty folder, a missing one, and one with nothing but other files', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(() => listImages(empty)).toThrow(/expected at least one file with \.jpg.*, got none/);
    expect(() => listImages(join(folder, 'absent'))).toThrow(UserError);
    const others = join(folder, 'others');
    mkdirSync(others);
    writeFileSync(join(others, 'a.bmp'), '');
    expect(() => listImages(others)).toThrow(/got none among a\.bmp \(cannot be decoded here\)/);
  });
});

describe('listImages of a file', () => {
  it('gives a single image the id 1', () => {
    const path = join(pictures, 'b.PNG');
    expect(listImages(path)).toEqual([{ id: 1, fileName: 'b.PNG', path }]);
  });

  it('knows an image without an extension by its first bytes', () => {
    const path = join(folder, 'IMG_0001');
    writeFileSync(path, Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]));
    expect(listImages(path)).toEqual([{ id: 1, fileName: 'IMG_0001', path }]);
  });

  it.each([
    ['by its name', 'photo.HEIC', ''],
    ['by its bytes', 'photo', '\0\0\0\x18ftypheic'],
  ])('says what to do about a format that is not decoded, known %s', (_, name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes, 'latin1');
    expect(() => listImages(path)).toThrow(/cannot be decoded here; convert to JPEG/);
  });
});
