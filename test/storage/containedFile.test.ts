import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { containedFile } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

/** A folder with files, a folder, and links inside it and out of it, beside a file that is none of its own. */
function prepared(): string {
  const home = temporaryFolder();
  const folder = join(home, 'model');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  writeFileSync(join(home, 'secret'), '');
  writeFileSync(join(folder, 'file'), '');
  writeFileSync(join(folder, 'deep', 'file'), '');
  symlinkSync('deep/file', join(folder, 'link'));
  symlinkSync('../secret', join(folder, 'out'));
  symlinkSync('..', join(folder, 'up'));
  symlinkSync('/dev/zero', join(folder, 'device'));
  symlinkSync('loop', join(folder, 'loop'));
  return folder;
}

it.each(['file', './file', 'deep/file', 'deep/../file', 'link'])('takes %s', (name) => {
  const folder = prepared();
  expect(containedFile(folder, name, 'tokenizer')).toBe(join(folder, name));
});

it.each(['../secret', 'deep/../../secret', '/etc/passwd', 'out', 'up/secret', 'device', '', '.', 'a\0b'])(
  'refuses %o, which is outside',
  (name) => {
    const folder = prepared();
    expect(userErrorLine(() => containedFile(folder, name, 'tokenizer'))).toContain(`expected a file inside ${folder}`);
  },
);

it.each([
  ['none', 'no such file'],
  ['deep', 'expected a regular file'],
  ['loop', 'cannot read tokenizer'],
  ['file/more', 'cannot read tokenizer'],
])('refuses %s in one line', (name, expected) => {
  expect(userErrorLine(() => containedFile(prepared(), name, 'tokenizer'))).toContain(expected);
});
