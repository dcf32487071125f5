import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunError, UserError } from '#src/errors';
import { systemErrorWords, systemFailure, writeFailure } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';

const refused = (code: string): Error =>
  Object.assign(new Error(`${code}: whatever Node says, open '/a'`), { code, syscall: 'open', path: '/a' });

describe('systemErrorWords', () => {
  it.each([
    ['ENOSPC', 'the disk is full'],
    ['EDQUOT', 'the disk quota is used up'],
    ['EROFS', 'the disk is read-only'],
    ['EACCES', 'permission denied'],
    ['EMFILE', 'too many open files: raise the limit with ulimit -n'],
    ['EIO', 'the disk reports an input/output error'],
    ['ENAMETOOLONG', 'the name is too long'],
    ['EWHATEVER', 'the system says EWHATEVER'],
  ])('puts %s into words', (code, words) => {
    expect(systemErrorWords(refused(code))).toContain(words);
    expect(systemErrorWords(refused(code))).not.toContain('Node');
    expect((writeFailure('/b', refused(code)) as Error).message).toBe(
      `cannot write /b: ${systemErrorWords(refused(code))}`,
    );
  });

  it('says that a name may be the reason why a file is not found', () => {
    const error = Object.assign(new Error(''), { code: 'ENOENT', syscall: 'open', path: '/a/caf\uFFFD.png' });
    expect(systemErrorWords(error)).toBe('no such file; rename it if its name is not UTF-8');
  });

  it('gives the first line of any other error', () => {
    expect(systemErrorWords(new Error('one\u001b[31m\ntwo'))).toBe('one\\u001b[31m');
  });
});

describe('systemFailure', () => {
  const thrownBy = (work: () => unknown): UserError | undefined => {
    try {
      work();
    } catch (error) {
      return systemFailure(error);
    }
    return undefined;
  };

  it('names the path of a call that nobody put into words', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    expect(thrownBy(() => readdirSync(join(folder, 'none')))?.message).toBe(`${folder}/none: no such folder`);
    expect(thrownBy(() => mkdirSync(join(folder, 'file/x')))?.message).toContain('a part of its path is a file');
    expect(thrownBy(() => statSync('a\0b'))?.message).toBe('the name holds a null character');
  });

  it('tells what was given from what the machine refuses', () => {
    expect(systemFailure(refused('ENOENT'))).not.toBeInstanceOf(RunError);
    expect(systemFailure(refused('ENOSPC'))).toBeInstanceOf(RunError);
  });

  it('leaves every other error alone', () => {
    expect(systemFailure(new TypeError('x is undefined'))).toBeUndefined();
    expect(systemFailure(new UserError('x'))).toBeUndefined();
  });
});
