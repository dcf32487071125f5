import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  readBytes,
  readJson,
  readSafetensorsHeader,
  readSource,
  readTarIndex,
  readText,
  systemErrorWords,
} from '#src/storage';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { userErrorLine } from '../support/thrown.js';

/** Every reader of a whole file, as the line that it refuses a path with. */
const READERS: Readonly<Record<string, (path: string) => Promise<string>>> = {
  readBytes: async (path) => userErrorLine(() => readBytes(path, 'thing')),
  readText: async (path) => userErrorLine(() => readText(path, 'thing')),
  readJson: async (path) => userErrorLine(() => readJson(path, 'thing')),
  'a member': async (path) =>
    userErrorLine(() => readBytes({ path: 'x', member: { archive: path, offset: 0, length: 5 } }, 'thing')),
  readTarIndex: async (path) => userErrorLine(() => readTarIndex(path)),
  readSafetensorsHeader: async (path) => userErrorLine(() => readSafetensorsHeader(path)),
  readSource: (path) =>
    readSource({ path }).then(
      () => 'read',
      (error) => systemErrorWords(error),
    ),
  'readSource of a member': (path) =>
    readSource({ path: 'x', member: { archive: path, offset: 0, length: 5 } }).then(
      () => 'read',
      (error) => systemErrorWords(error),
    ),
};

describe.each(Object.entries(READERS))('%s', (_, refusal) => {
  it('never waits for a pipe', async () => {
    const path = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(await refusal(path)).toContain('is a pipe; expected a regular file');
  });

  it('refuses a device, by a link too', async () => {
    const path = join(temporaryFolder(), 'zero');
    symlinkSync('/dev/zero', path);
    expect(await refusal('/dev/zero')).toContain('is a device; expected a regular file');
    expect(await refusal(path)).toContain('is a device; expected a regular file');
  });

  it('refuses a socket', async () => {
    const path = join(temporaryFolder(), 'socket');
    const server = createServer();
    await new Promise<void>((done) => server.listen(path, done));
    expect(await refusal(path)).toMatch(/is a socket/);
    await new Promise((done) => server.close(done));
  });

  it('says what else is wrong with a path, without the words of Node', async () => {
    const folder = temporaryFolder();
    const circle = join(folder, 'circle');
    symlinkSync(circle, circle);
    expect(await refusal(join(folder, 'absent'))).toMatch(/no such file$/);
    expect(await refusal(folder)).toMatch(/is a folder$/);
    expect(await refusal(circle)).toMatch(/symbolic links that lead in a circle$/);
    expect(await refusal(join(folder, 'x'.repeat(300)))).toMatch(/the name is too long$/);
    expect(await refusal(join(folder, 'a\0b'))).toMatch(/the name holds a null character$/);
    writeFileSync(join(folder, 'file'), '');
    expect(await refusal(join(folder, 'file/below'))).toMatch(/a part of its path is a file, not a folder$/);
  });
});

describe('readBytes', () => {
  it('follows a link, and reads no more than is asked for', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), 'twelve bytes');
    symlinkSync(join(folder, 'file'), join(folder, 'link'));
    expect(readBytes(join(folder, 'link'), 'file').toString()).toBe('twelve bytes');
    expect(readBytes(join(folder, 'link'), 'file', { headBytes: 6 }).toString()).toBe('twelve');
    expect(userErrorLine(() => readBytes(join(folder, 'file'), 'file', { maxBytes: 11 }))).toContain(
      'expected at most 11 bytes, got 12',
    );
  });

  it('says that standard input is not read', () => {
    expect(userErrorLine(() => readBytes('-', 'captions'))).toBe(
      'cannot read captions from standard input; write it to a file first',
    );
  });
});
