import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readBytes, readJson, sha256 } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

it('readBytes gives the bytes of a file', () => {
  const path = join(temporaryFolder(), 'file');
  writeFileSync(path, Uint8Array.of(0, 13, 10, 255));
  expect([...readBytes(path, 'file')]).toEqual([0, 13, 10, 255]);
});

it('readBytes says which file is missing and what it was wanted for', () => {
  const path = join(temporaryFolder(), 'none.yaml');
  expect(userErrorLine(() => readBytes(path, 'configuration'))).toBe(`cannot read configuration ${path}: no such file`);
});

it('readBytes says that a folder is none', () => {
  const path = temporaryFolder();
  expect(userErrorLine(() => readBytes(path, 'merge plan'))).toBe(`cannot read merge plan ${path}: is a folder`);
});

it('readJson names the file that is not JSON, in one line', () => {
  const path = join(temporaryFolder(), 'file.json');
  writeFileSync(path, '{\n  "a": 1,\n  b\n}');
  expect(userErrorLine(() => readJson(path, 'labels'))).toContain(`cannot read labels ${path}: not valid JSON`);
});

it.each([
  ['\uFEFF\uFEFF[]', "Unexpected token '\\ufeff'"],
  ['[\u00a01]', "Unexpected token '\\u00a0'"],
  ['[1]\n\n]', 'in line 3)'],
  ['', 'it ends too early'],
])('readJson shows what is wrong with %j', (text, words) => {
  const path = join(temporaryFolder(), 'file.json');
  writeFileSync(path, text);
  expect(userErrorLine(() => readJson(path, 'labels'))).toContain(words);
});

it('readJson calls JSON lines by their name', () => {
  const path = join(temporaryFolder(), 'file.json');
  writeFileSync(path, '{"a": 1}\r\n{"a": 2}\r\n');
  expect(userErrorLine(() => readJson(path, 'labels'))).toContain('expected one JSON value, got JSON lines');
});

it('sha256 agrees with the standard', () => {
  // FIPS 180-2, appendix B.1.
  expect(sha256(Buffer.from('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
