import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPredictions } from '#captions/formats';
import { selectEngine } from '#src/engine';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { tinyJointModel } from '../support/tinyJointModel.js';
import { tokenfuse } from '../support/tokenfuse.js';

beforeAll(async () => {
  await selectEngine('cpu');
});

const OPTIONS = ['--engine', 'cpu', '--max-tokens', '3'];

/** A model and images of four colours, one of which is damaged. */
async function prepared(): Promise<string> {
  const folder = temporaryFolder();
  tinyJointModel(folder).dispose();
  await writeTinyCaptions(folder, ['red', 'green', 'blue', 'black']);
  writeFileSync(join(folder, 'images', 'green.png'), 'this is no image');
  return folder;
}

describe('tokenfuse caption', () => {
  it('captions several files and folders, goes on after damaged ones, and lists them at the end', async () => {
    const folder = await prepared();
    mkdirSync(join(folder, 'more'));
    copyFileSync(join(folder, 'images', 'red.png'), join(folder, 'more', 'red.png'));
    writeFileSync(join(folder, 'more', 'a.heic'), '');
    const { code, stdout, stderr } = await tokenfuse(
      ['caption', 'merged', 'images', 'more', 'gone.jpg', ...OPTIONS],
      folder,
    );
    expect(code).toBe(1);
    for (const name of ['black.png', 'blue.png', 'images/red.png', 'more/red.png'])
      expect(stdout).toContain(`${name}  `);
    expect(stdout).toContain('more: 1 file passed over: a.heic (cannot be decoded here)');
    expect(stderr.split('\n')).toEqual([
      'tokenfuse: 2 of 6 images cannot be read and have no caption:',
      'tokenfuse: gone.jpg: no such file or folder',
      'tokenfuse: images/green.png: unsupported image format',
      '',
    ]);
  });

  it('writes the good captions with --out, and the others once they can be read', async () => {
    const folder = await prepared();
    const words = ['caption', 'merged', 'images', '--out', 'all.json', ...OPTIONS];
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    expect((await tokenfuse(words, folder)).code).toBe(1);
    expect([...readPredictions(join(folder, 'all.json')).keys()]).toEqual([1, 2, 4]);
    copyFileSync(join(folder, 'images', 'red.png'), join(folder, 'images', 'green.png'));
    const again = await tokenfuse(words, folder);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('3 of 4 images are in');
    const fresh = await tokenfuse(['caption', 'merged', 'images', '--out', 'fresh.json', ...OPTIONS], folder);
    expect(fresh.code).toBe(0);
    expect(read('all.json')).toBe(read('fresh.json'));
  });

  it('names the images without a caption in its JSON', async () => {
    const folder = await prepared();
    const { code, stdout } = await tokenfuse(['caption', 'merged', 'images', '--json', ...OPTIONS], folder);
    expect(code).toBe(1);
    const result = JSON.parse(stdout);
    expect(result.predictions).toHaveLength(3);
    expect(result.broken).toEqual([{ name: 'images/green.png', reason: 'unsupported image format' }]);
  });

  it('captions what is there of a captions file, from the folder that --images names', async () => {
    const folder = await prepared();
    mkdirSync(join(folder, 'elsewhere'));
    copyFileSync(join(folder, 'images', 'red.png'), join(folder, 'elsewhere', 'red.png'));
    const words = ['caption', 'merged', 'captions.json', '--images', 'elsewhere', '--out', 'p.json', ...OPTIONS];
    const { code, stderr } = await tokenfuse(words, folder);
    expect(code).toBe(1);
    expect(stderr).toContain('3 of 4 images cannot be read');
    expect(stderr).toContain('elsewhere/blue.png: no such file');
    expect([...readPredictions(join(folder, 'p.json')).keys()]).toEqual([10]);
  });

  it('refuses images above --max-image-pixels', async () => {
    const folder = await prepared();
    const words = ['caption', 'merged', 'images/red.png', '--max-image-pixels', '200', '--out', 'p.json', ...OPTIONS];
    const { code, stderr } = await tokenfuse(words, folder);
    expect(code).toBe(2);
    expect(stderr).toContain('16 × 16 pixels; expected at most 200 (--max-image-pixels)');
    expect(existsSync(join(folder, 'p.json'))).toBe(false);
  });
});
