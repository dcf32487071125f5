import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listImageArguments } from '#captions/formats';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';

function folderOf(files: Readonly<Record<string, string>>): (name: string) => string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return (name) => join(folder, name);
}

const coco = (...images: readonly [number, string][]): string =>
  JSON.stringify({ images: images.map(([id, file_name]) => ({ id, file_name })), annotations: [] });

const namesOf = (args: readonly string[], options = {}): Record<number, string> =>
  Object.fromEntries(listImageArguments(args, options).images.map(({ id, fileName }) => [id, fileName]));

describe('listImageArguments', () => {
  it('numbers files and folders in the order they are given, and counts an image once', () => {
    const at = folderOf({ 'b.png': '', 'a/2.jpg': '', 'a/1.jpg': '', 'c.webp': '' });
    const args = [at('c.webp'), at('a'), at('a/2.jpg'), at('b.png'), at('c.webp')];
    expect(namesOf(args)).toEqual({ 1: 'c.webp', 2: '1.jpg', 3: '2.jpg', 4: 'b.png' });
  });

  it('shows paths where folders have images of equal names', () => {
    const at = folderOf({ 'a/1.jpg': '', 'b/1.jpg': '', 'b/2.jpg': '' });
    const path = (name: string): string => relative('.', at(name));
    expect(namesOf([at('a'), at('b')])).toEqual({ 1: path('a/1.jpg'), 2: path('b/1.jpg'), 3: '2.jpg' });
  });

  it('keeps the ids of captions files and numbers other images past them', () => {
    const at = folderOf({
      'a.json': coco([2, 'x.png'], [7, 'y.png']),
      'x.png': '',
      'y.png': '',
      'z.png': '',
      'w.png': '',
    });
    expect(namesOf([at('a.json')])).toEqual({ 2: 'x.png', 7: 'y.png' });
    expect(namesOf([at('z.png'), at('a.json'), at('w.png')])).toEqual({
      1: 'z.png',
      2: 'x.png',
      3: 'w.png',
      7: 'y.png',
    });
  });

  it('refuses two captions files with the same id', () => {
    const at = folderOf({ 'a.json': coco([2, 'x.png']), 'b.json': coco([2, 'y.png']), 'x.png': '', 'y.png': '' });
    expect(userErrorLine(() => listImageArguments([at('a.json'), at('b.json')]))).toContain('image id 2 of');
  });

  it('takes the images of captions files from --images', () => {
    const at = folderOf({ 'a.json': coco([1, 'x.png']), 'pictures/x.png': '' });
    const options = { images: at('pictures') };
    expect(listImageArguments([at('a.json')], options).images[0].path).toBe(at('pictures/x.png'));
    const mapping = `{format: coco, path: ${at('a.json')}}`;
    expect(listImageArguments([mapping], options).images[0].path).toBe(at('pictures/x.png'));
    expect(userErrorLine(() => listImageArguments([at('pictures')], options))).toContain('holds its own images');
    expect(userErrorLine(() => listImageArguments([at('pictures/x.png')], options))).toContain('--images: it is for');
    expect(userErrorLine(() => listImageArguments([at('a.json')]))).toContain(
      'give the folder that contains them as --images',
    );
  });

  it('goes on without files that are no images or are not there, and says why', () => {
    const at = folderOf({ 'a.png': '', 'a.txt': 'a cat', 'b.heic': '', 'notes.md': 'words', 'empty/x.doc': '' });
    const { images, unusable } = listImageArguments(
      ['a.png', 'a.txt', 'b.heic', 'gone.jpg', 'notes.md', 'empty'].map(at),
    );
    expect(images.map(({ fileName }) => fileName)).toEqual(['a.png']);
    expect(unusable).toEqual([
      { name: at('b.heic'), reason: 'cannot be decoded here; convert to JPEG or PNG' },
      { name: at('gone.jpg'), reason: 'no such file or folder' },
      { name: at('notes.md'), reason: expect.stringContaining('unknown format') },
      { name: at('empty'), reason: expect.stringContaining('expected at least one file with') },
    ]);
    expect(userErrorLine(() => listImageArguments([at('b.heic')]))).toContain('b.heic: cannot be decoded here');
    expect(userErrorLine(() => listImageArguments([at('b.heic'), at('gone.jpg')]))).toContain(
      'expected at least one image among 2 files, got none',
    );
  });

  it('leaves missing files of a captions file to be found out when they are read', () => {
    const at = folderOf({ 'a.json': coco([1, 'x.png'], [2, 'gone.png']), 'x.png': '' });
    expect(namesOf([at('a.json')])).toEqual({ 1: 'x.png', 2: 'gone.png' });
  });
});
