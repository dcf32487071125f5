import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imagePath } from '#src/data';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const refusal = (name: string, folder = '/data/images'): string =>
  userErrorLine(() => imagePath(folder, name, 'captions.json: images[3].file_name'));

describe('imagePath', () => {
  it.each([
    ['cat.jpg', '/data/images/cat.jpg'],
    ['val2014/cat.jpg', '/data/images/val2014/cat.jpg'],
    ['./a/../cat.jpg', '/data/images/cat.jpg'],
    ['..cat.jpg', '/data/images/..cat.jpg'],
    ['train\\cat.jpg', '/data/images/train/cat.jpg'],
    ['/data/images/cat.jpg', '/data/images/cat.jpg'],
    ['cat: a portrait.jpg', '/data/images/cat: a portrait.jpg'],
  ])('takes %j', (name, path) => {
    expect(imagePath('/data/images', name, 'x')).toBe(path);
  });

  it('keeps a relative folder relative', () => {
    expect(imagePath('images', 'a/cat.jpg', 'x')).toBe('images/a/cat.jpg');
    expect(imagePath('.', 'cat.jpg', 'x')).toBe('cat.jpg');
  });

  it.each([
    ['/etc/passwd', 'the absolute path "/etc/passwd"'],
    ['/data/images2/cat.jpg', 'the absolute path "/data/images2/cat.jpg"'],
    ['/data/images/../cat.jpg', 'the absolute path'],
    ['C:\\images\\cat.jpg', 'the absolute path'],
    ['\\\\server\\cat.jpg', 'the absolute path'],
    ['../cat.jpg', 'the path "../cat.jpg"'],
    ['a/../../cat.jpg', 'the path'],
    ['..\\cat.jpg', 'the path'],
    ['..', 'the path'],
  ])('refuses %j, which leads out of the folder', (name, what) => {
    expect(refusal(name)).toContain(
      `captions.json: images[3].file_name: expected an image inside /data/images, got ${what}`,
    );
    expect(refusal(name)).toContain("set 'images' to a folder that contains it");
  });

  it.each([
    'http://images.cocodataset.org/cat.jpg',
    'HTTPS://x/cat.jpg',
    'file:///cat.jpg',
    's3://x/y',
    'data:image/png;base64,x',
  ])('refuses the URL %s', (name) => {
    expect(refusal(name)).toContain(`got the URL "${name}"; download the images`);
  });

  it.each(['', '.', './', '/', 'a/..'])('refuses %j, which is no file name', (name) => {
    expect(refusal(name)).toMatch(/expected an image inside/);
  });

  it('finds a file whose name has its accents composed or decomposed', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'cafe\u0301.jpg'), '');
    expect(imagePath(folder, 'caf\u00e9.jpg', 'x')).toBe(join(folder, 'cafe\u0301.jpg'));
    writeFileSync(join(folder, 'caf\u00e9.jpg'), '');
    expect(imagePath(folder, 'caf\u00e9.jpg', 'x')).toBe(join(folder, 'caf\u00e9.jpg'));
    expect(imagePath(folder, 'th\u00e9.jpg', 'x')).toBe(join(folder, 'th\u00e9.jpg'));
  });

  it('takes a backslash that a file has in its name, and a link to elsewhere', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'images'));
    writeFileSync(join(folder, 'images/odd\\name.jpg'), '');
    writeFileSync(join(folder, 'cat.jpg'), '');
    symlinkSync(join(folder, 'cat.jpg'), join(folder, 'images/link.jpg'));
    expect(imagePath(join(folder, 'images'), 'odd\\name.jpg', 'x')).toBe(join(folder, 'images/odd\\name.jpg'));
    expect(imagePath(join(folder, 'images'), 'link.jpg', 'x')).toBe(join(folder, 'images/link.jpg'));
  });
});
