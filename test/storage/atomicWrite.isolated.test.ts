import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { writeFileAtomic, writeJsonAtomic } from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

const disk = vi.hoisted(() => ({ bytesLeft: Number.POSITIVE_INFINITY }));

vi.mock('node:fs', async (importOriginal) => {
  const { onLimitedDisk } = await import('../support/limitedDisk.js');
  return onLimitedDisk(await importOriginal<typeof import('node:fs')>(), disk);
});

afterEach(() => {
  disk.bytesLeft = Number.POSITIVE_INFINITY;
});

describe('writeFileAtomic', () => {
  it('writes text, bytes and chunks', () => {
    const folder = temporaryFolder();
    writeFileAtomic(join(folder, 'text'), 'grüße');
    writeFileAtomic(join(folder, 'bytes'), Uint8Array.of(0, 255));
    writeFileAtomic(join(folder, 'chunks'), [Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]);
    expect(readFileSync(join(folder, 'text'), 'utf8')).toBe('grüße');
    expect([...readFileSync(join(folder, 'bytes'))]).toEqual([0, 255]);
    expect([...readFileSync(join(folder, 'chunks'))]).toEqual([1, 2, 3]);
  });

  it('makes the folders that are missing and replaces what is there', () => {
    const path = join(temporaryFolder(), 'a', 'b', 'file');
    writeFileAtomic(path, 'old');
    writeFileAtomic(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  it('goes on where the disk took only a part of a chunk', () => {
    const path = join(temporaryFolder(), 'file');
    disk.bytesLeft = 1e6;
    writeFileAtomic(path, 'x'.repeat(1000));
    expect(readFileSync(path, 'utf8')).toBe('x'.repeat(1000));
  });

  it('on a full disk keeps the old file, leaves nothing aside and says what to do', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'file');
    writeFileAtomic(path, 'old');
    disk.bytesLeft = 3;
    const line = userErrorLine(() => writeFileAtomic(path, 'much longer'));
    expect(line).toBe(`cannot write ${path}: the disk is full: free some space and run again`);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('leaves nothing behind when the source of the chunks fails, and passes its error on', () => {
    const folder = temporaryFolder();
    const chunks = (function* () {
      yield Uint8Array.of(1);
      throw new RangeError('no more');
    })();
    expect(() => writeFileAtomic(join(folder, 'file'), chunks)).toThrow(new RangeError('no more'));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names the file when a folder stands in its place', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'taken', 'inside'), { recursive: true });
    expect(userErrorLine(() => writeFileAtomic(join(folder, 'taken'), 'x'))).toContain(join(folder, 'taken'));
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it('names the folder when a file stands in its place', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file', 'below');
    expect(userErrorLine(() => writeFileAtomic(path, 'x'))).toContain(`${join(folder, 'file')} is not a folder`);
  });
});

it('writeJsonAtomic writes indented JSON that ends with a line feed', () => {
  const path = join(temporaryFolder(), 'file.json');
  writeJsonAtomic(path, { a: [1] });
  expect(readFileSync(path, 'utf8')).toBe('{\n  "a": [\n    1\n  ]\n}\n');
  expect(existsSync(path)).toBe(true);
});
