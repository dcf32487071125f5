import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { draftFolder, temporaryName, writeFailure } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

it('a draft fills the folder that a link leads to', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'real'));
  symlinkSync('real', join(folder, 'link'));
  const draft = draftFolder(join(folder, 'link'));
  writeFileSync(join(draft.path, 'model'), '');
  draft.publish();
  expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
  expect(readdirSync(join(folder, 'real'))).toEqual(['model']);
  expect(readdirSync(folder).sort()).toEqual(['link', 'real']);
});

it('a draft that cannot be is refused by the name of its folder', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  expect(userErrorLine(() => draftFolder(join(file, 'out')))).toBe(
    `cannot make folder ${file}: ${file} is not a folder`,
  );
});

it('messages name what a draft was to be', () => {
  const error = Object.assign(new Error(), { code: 'ENOSPC' });
  const { message } = writeFailure(join(temporaryName('/a/out'), temporaryName('model')), error) as Error;
  expect(message).toBe('cannot write /a/out/model: the disk is full: free some space and run again');
});
