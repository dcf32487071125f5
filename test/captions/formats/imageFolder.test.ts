import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readImageFile, readImageFolder } from '#captions/formats';
import { UserError } from '#src/errors';

const folder = mkdtempSync(join(tmpdir(), 'tokenfuse-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

const pictures = join(folder, 'pictures');
mkdirSync(join(pictures, 'inner.png'), { recursive: true });
for (const name of ['b.PNG', 'a.jpg', 'c.tiff', 'd.webp', 'e.gif', 'f.avif', 'g.jpeg', 'notes.txt', '.hidden.png']) {
  writeFileSync(join(pictures, name), '');
}

describe('readImageFolder', () => {
  it('lists image files by name, numbered from 1, and nothing else', () => {
    const images = readImageFolder(pictures);
    expect(images.map(({ fileName }) => fileName)).toEqual([
      'a.jpg',
      'b.PNG',
      'c.tiff',
      'd.webp',
      'e.gif',
      'f.avif',
      'g.jpeg',
    ]);
    expect(images.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(images[1].path).toBe(join(pictures, 'b.PNG'));
  });

  it('refuses an empty folder, a missing one and a file', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(() => readImageFolder(empty)).toThrow(/expected at least one file with \.jpg.*, got none/);
    for (const path of [join(folder, 'absent'), join(pictures, 'a.jpg')]) {
      expect(() => readImageFolder(path)).toThrow(UserError);
      expect(() => readImageFolder(path)).toThrow(path);
    }
  });
});

describe('readImageFile', () => {
  it('gives a single image the id 1', () => {
    const path = join(pictures, 'b.PNG');
    expect(readImageFile(path)).toEqual({ id: 1, fileName: 'b.PNG', path });
  });

  it('refuses a folder, another kind of file and nothing', () => {
    expect(() => readImageFile(pictures)).toThrow(/expected a file, got a folder/);
    expect(() => readImageFile(join(pictures, 'notes.txt'))).toThrow(/got '.txt'/);
    expect(() => readImageFile(join(folder, 'absent.png'))).toThrow(UserError);
  });
});
