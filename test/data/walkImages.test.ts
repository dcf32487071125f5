import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { passedOverLine, walkImages } from '#src/data';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

function folderOf(...names: readonly string[]): string {
  const folder = temporaryFolder();
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
  return folder;
}

const keysOf = (folder: string): string[] => walkImages(folder).images.map(({ key }) => key);
const passedIn = (folder: string): Record<string, string | undefined> =>
  Object.fromEntries(walkImages(folder).passedOver.map(({ name, reason }) => [name, reason]));

describe('walkImages', () => {
  it('gives images of all folders in the order of names, folders at their place', () => {
    const folder = folderOf('c.png', 'b/2.jpg', 'b/1.jpg', 'b/inner/x.webp', 'a.GIF', 'B.tiff', 'd.jfif', 'e.JPE');
    expect(keysOf(folder)).toEqual([
      'B.tiff',
      'a.GIF',
      'b/1.jpg',
      'b/2.jpg',
      'b/inner/x.webp',
      'c.png',
      'd.jfif',
      'e.JPE',
    ]);
    expect(walkImages(folder).images[2].path).toBe(join(folder, 'b', '1.jpg'));
    expect(walkImages(folder).folders).toEqual(['b']);
  });

  it('names what it passes over, but not what systems and hidden tools leave', () => {
    const folder = folderOf('a.png', 'b.heic', 'sub/notes.pdf', 'table.csv', '.hidden.png', '.git/x.png', 'Thumbs.db');
    expect(passedIn(folder)).toEqual({
      'b.heic': 'cannot be decoded here',
      'sub/notes.pdf': 'cannot be decoded here',
      'table.csv': undefined,
    });
  });

  it('finds the texts of images, and counts only texts without one as passed over', () => {
    const folder = folderOf('a.png', 'a.txt', 'sub/b.jpg', 'sub/b.TXT', 'notes.txt');
    const { texts, passedOver } = walkImages(folder);
    expect(texts.get('sub/b')?.path).toBe(join(folder, 'sub', 'b.TXT'));
    expect(passedOver).toEqual([{ name: 'notes.txt' }]);
  });

  it('reads a folder once, under its own name, whatever links lead to it', () => {
    const folder = folderOf('z/1.png', 'own.png');
    const outside = folderOf('2.png');
    symlinkSync(join(folder, 'z'), join(folder, 'a-link-inside'));
    symlinkSync(outside, join(folder, 'b-link-outside'));
    symlinkSync(outside, join(folder, 'c-link-outside'));
    expect(keysOf(folder)).toEqual(['b-link-outside/2.png', 'own.png', 'z/1.png']);
    expect(passedIn(folder)).toEqual({
      'a-link-inside/': 'read already under another name',
      'c-link-outside/': 'read already under another name',
    });
  });

  it('ends where links lead in circles', () => {
    const parent = folderOf('walked/a.png', 'walked/sub/b.png', 'beside.png');
    const folder = join(parent, 'walked');
    symlinkSync(folder, join(folder, 'self'));
    symlinkSync('..', join(folder, 'sub', 'up'));
    symlinkSync(parent, join(folder, 'above'));
    symlinkSync('knot', join(folder, 'knot'));
    symlinkSync('eye.png', join(folder, 'eye.png'));
    const [one, two] = [folderOf('1.png'), folderOf('2.png')];
    symlinkSync(two, join(one, 'two'));
    symlinkSync(one, join(two, 'one'));
    symlinkSync(one, join(folder, 'ring'));
    expect(keysOf(folder)).toEqual(['a.png', 'ring/1.png', 'ring/two/2.png', 'sub/b.png']);
    expect(passedIn(folder)).toEqual({
      'above/': 'a link to a folder above it',
      'eye.png': 'a link to itself',
      knot: 'a link to itself',
      'ring/two/one/': 'read already under another name',
      'self/': 'read already under another name',
      'sub/up/': 'read already under another name',
    });
  });

  it('keeps a link to a missing image, which reading then refuses, and passes over other links to nothing', () => {
    const folder = folderOf('a.png');
    symlinkSync('gone.png', join(folder, 'b.png'));
    symlinkSync('gone', join(folder, 'c'));
    expect(keysOf(folder)).toEqual(['a.png', 'b.png']);
    expect(passedIn(folder)).toEqual({ c: 'a link to nothing' });
  });

  it.skipIf(process.platform === 'win32')('does not take pipes and devices for images', () => {
    const folder = folderOf('a.png');
    spawnSync('mkfifo', [join(folder, 'pipe.png')]);
    symlinkSync('/dev/zero', join(folder, 'zero.jpg'));
    expect(keysOf(folder)).toEqual(['a.png']);
    expect(passedIn(folder)).toEqual({ 'pipe.png': 'not a regular file', 'zero.jpg': 'not a regular file' });
  });

  it('refuses folders that lie deeper than those of a data set, and one that is missing', () => {
    const folder = folderOf(`${'d/'.repeat(70)}a.png`);
    expect(userErrorLine(() => walkImages(folder))).toContain('expected at most 64 folders inside one another');
    expect(userErrorLine(() => walkImages(join(folder, 'gone')))).toContain('no such folder');
  });
});

describe('passedOverLine', () => {
  it('counts files and names the first, those with a reason before others', () => {
    const files = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name }));
    const line = passedOverLine('pictures', [...files, { name: 'f.heic', reason: 'cannot be decoded here' }]);
    expect(line).toBe('pictures: 6 files passed over: f.heic (cannot be decoded here), a, b, c, d, …');
    expect(passedOverLine('pictures', [{ name: 'a\u001b[2J' }])).toBe('pictures: 1 file passed over: a\\u001b[2J');
    expect(passedOverLine('pictures', [])).toBeUndefined();
  });
});
