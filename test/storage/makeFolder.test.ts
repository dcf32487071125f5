import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

describe('makeFolder', () => {
  it('makes what is missing on the way and says what it was', () => {
    const root = temporaryFolder();
    expect(makeFolder(join(root, 'a/b'))).toEqual([join(root, 'a'), join(root, 'a/b')]);
    expect(statSync(join(root, 'a/b')).isDirectory()).toBe(true);
    expect(makeFolder(join(root, 'a/b'))).toEqual([]);
    expect(makeFolder(join(root, 'a/./b/../c'))).toEqual([join(root, 'a/c')]);
  });

  it('takes a link to a folder for one', () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'real'));
    symlinkSync('real', join(root, 'link'));
    makeFolder(join(root, 'link/a'));
    expect(existsSync(join(root, 'real/a'))).toBe(true);
  });

  it.each([
    ['a file in its place', (root: string) => writeFileSync(join(root, 'a'), ''), 'a', /a is not a folder$/],
    ['a file on the way', (root: string) => writeFileSync(join(root, 'a'), ''), 'a/b/c', /a is not a folder$/],
    ['a link to nothing', (root: string) => symlinkSync('gone', join(root, 'a')), 'a/b', /a is a link to nothing$/],
    ['a link to itself', (root: string) => symlinkSync('a', join(root, 'a')), 'a/b', /links lead to one another/],
    ['a name of 300 letters', () => undefined, 'x'.repeat(300), /a part of the name is too long/],
  ])('%s is one line, and nothing is made', (_, prepare, path, expected) => {
    const root = temporaryFolder();
    prepare(root);
    expect(userErrorLine(() => makeFolder(join(root, path)))).toMatch(expected);
    expect(existsSync(join(root, path))).toBe(path === 'a');
  });

  it.skipIf(process.platform !== 'linux')('ends in a file system that takes no folders', () => {
    expect(userErrorLine(() => makeFolder('/proc/tokenfuse/run'))).toBe(
      'cannot make folder /proc/tokenfuse/run: the system allows no folder in /proc',
    );
  });

  it.skipIf(process.getuid?.() === 0)('without permission is one line', () => {
    const root = temporaryFolder();
    chmodSync(root, 0o500);
    expect(userErrorLine(() => makeFolder(join(root, 'a')))).toMatch(/no permission to write in/);
  });
});
