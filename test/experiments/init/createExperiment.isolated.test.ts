import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { tokenfuse } from '../../support/tokenfuse.js';

const disk = vi.hoisted(() => ({ bytesLeft: Number.POSITIVE_INFINITY }));

vi.mock('node:fs', async (importOriginal) => {
  const { onLimitedDisk } = await import('../../support/limitedDisk.js');
  return onLimitedDisk(await importOriginal<typeof import('node:fs')>(), disk);
});

afterEach(() => {
  disk.bytesLeft = Number.POSITIVE_INFINITY;
});

it('a full disk leaves no lock behind, so that init can be run again in the same process', async () => {
  const folder = temporaryFolder();
  const rows = Array.from({ length: 12 }, (_, i) => `${i}.png,number ${i}`);
  writeFileSync(join(folder, 'captions.csv'), ['image,caption', ...rows, ''].join('\n'));
  const words = ['init', 'mine', '--captions', 'captions.csv', '--yes'];
  disk.bytesLeft = 0;
  const failed = await tokenfuse(words, folder);
  expect(failed.stderr).toContain('the disk is full');
  expect(readdirSync(folder)).toEqual(['captions.csv']);
  disk.bytesLeft = Number.POSITIVE_INFINITY;
  expect((await tokenfuse(words, folder)).stderr).not.toContain('in use by process');
});
