import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#src/errors';
import { openOutputEntry, openOutputFolder } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

/** A folder with one file. */
function folderWith(name: string, parent = temporaryFolder()): string {
  const path = join(parent, 'there');
  mkdirSync(path);
  writeFileSync(join(path, name), 'precious');
  return path;
}

describe.each([
  ['openOutputFolder', openOutputFolder],
  ['openOutputEntry', openOutputEntry],
])('%s', (_name, open) => {
  it('takes a new place', () => {
    const { continues, release } = open(join(temporaryFolder(), 'a', 'b'));
    expect(continues).toBe(false);
    release();
  });

  it('takes an empty folder', () => {
    const { continues, release } = open(temporaryFolder());
    expect(continues).toBe(false);
    release();
  });

  it('refuses a folder with files, names them and the way on, and touches nothing', () => {
    const path = folderWith('notes.txt');
    const line = userErrorLine(() => open(path));
    expect(line).toBe(
      `${path}: expected a new or empty place, got a folder with notes.txt; choose another place, or give --overwrite, which moves it to ${path}.old-1`,
    );
    expect(readdirSync(path)).toEqual(['notes.txt']);
  });

  it('refuses a file', () => {
    const path = join(folderWith('notes.txt'), 'notes.txt');
    expect(userErrorLine(() => open(path))).toContain('got a file');
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('refuses a link that leads nowhere', () => {
    const path = join(temporaryFolder(), 'link');
    symlinkSync('nowhere', path);
    expect(userErrorLine(() => open(path))).toContain('got a link to nothing');
  });

  it('never moves a device, or the folder that the user is in', () => {
    for (const [path, words] of [
      ['/dev/null', 'got a device, a pipe or a socket; choose another place'],
      ['.', 'the current folder or one above it; choose another place'],
      ['..', 'the current folder or one above it; choose another place'],
    ]) {
      expect(userErrorLine(() => open(path, { overwrite: true }))).toContain(words);
      expect(userErrorLine(() => open(path))).toContain(words);
    }
  });

  it('moves what is there aside under overwrite, to a name that is free', () => {
    const path = folderWith('notes.txt');
    mkdirSync(`${path}.old-1`);
    const lines: string[] = [];
    const { continues, release } = open(path, { overwrite: true, say: (line) => lines.push(line) });
    release();
    expect(continues).toBe(false);
    expect(readdirSync(`${path}.old-2`)).toEqual(['notes.txt']);
    expect(lines).toEqual([`${path}: moved to ${path}.old-2`]);
  });

  it('goes on with what is its own', () => {
    const path = folderWith('notes.txt');
    const { continues, release } = open(path, { isOwn: () => true, overwrite: true });
    release();
    expect(continues).toBe(true);
    expect(readdirSync(path)).toEqual(['notes.txt']);
  });

  it('passes on the refusal of what is its own, and overwrites it when asked to', () => {
    const path = folderWith('notes.txt');
    const isOwn = (): boolean => {
      throw new ConfigError('give --resume');
    };
    expect(userErrorLine(() => open(path, { isOwn }))).toBe('give --resume');
    open(path, { isOwn, overwrite: true }).release();
    expect(existsSync(`${path}.old-1`)).toBe(true);
  });

  it.each([
    ['a model', ['model.json', 'model.safetensors']],
    ['a run', ['config.json', 'metrics.jsonl']],
    ['scene data', ['dataset.json', 'vision', 'language', 'pairs']],
  ])('refuses a place inside %s', (what, names) => {
    const folder = temporaryFolder();
    for (const name of names) writeFileSync(join(folder, name), '');
    expect(userErrorLine(() => open(join(folder, 'deep', 'out')))).toContain(
      `lies inside ${folder}, which holds ${what}`,
    );
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
  });

  it("takes a place beside runs and Karpathy's dataset.json", () => {
    const folder = temporaryFolder();
    for (const name of ['dataset.json', 'vision', 'language']) writeFileSync(join(folder, name), '');
    open(join(folder, 'out')).release();
  });

  it('leaves alone what is unfinished in a folder that is not its own', () => {
    const path = folderWith('notes.txt');
    mkdirSync(join(path, 'run'));
    const other = join(path, 'run', 'last.json.0123abcd-77-89abcdef.tmp');
    writeFileSync(other, '');
    userErrorLine(() => open(path));
    expect(existsSync(other)).toBe(true);
  });

  it('removes what killed processes left unfinished for this place', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'out');
    mkdirSync(path);
    const left = '0123abcd-77-89abcdef.tmp';
    for (const place of [join(path, `last.json.${left}`), `${path}.${left}`]) writeFileSync(place, '');
    open(path).release();
    const gone = open === openOutputFolder ? join(path, `last.json.${left}`) : `${path}.${left}`;
    expect(existsSync(gone)).toBe(false);
  });
});
