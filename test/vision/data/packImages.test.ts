import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '#src/errors';
import { type PackOptions, packImages } from '../../../vision/data/index.js';
import { withProgress } from '../../support/withProgress.js';
import { type Colour, packFolders, temporaryFolder, writeImage } from './sampleImages.js';

const SIZE = 4;
const options = (cacheDir: string, more: Partial<PackOptions> = {}): PackOptions => ({
  imageSize: SIZE,
  resize: 'stretch',
  background: [255, 255, 255],
  cacheDir,
  ...more,
});

async function threeImages(folder: string): Promise<{ path: string; key: string }[]> {
  const colours: Colour[] = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ];
  return Promise.all(
    colours.map(async (colour, i) => ({ key: `${i}.png`, path: await writeImage(join(folder, `${i}.png`), colour) })),
  );
}

async function firstPixels(entries: { path: string; key: string }[], opts: PackOptions): Promise<number[][]> {
  const packed = await packImages(entries, opts);
  const bytes = new Uint8Array(SIZE * SIZE * 3 + 5);
  const pixels = packed.paths.map((_, i) => {
    packed.read(i, bytes, 5);
    return [...bytes.subarray(5, 8)];
  });
  packed.close();
  return pixels;
}

function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: Error) => {
      expect(error).toBeInstanceOf(UserError);
      return error.message;
    },
  );
}

describe('packImages', () => {
  it('gives the images back in order, whatever the concurrency', async () => {
    const folder = temporaryFolder();
    const entries = await threeImages(folder);
    for (const concurrency of [1, 8]) {
      const pixels = await firstPixels(entries, options(join(folder, `cache${concurrency}`), { concurrency }));
      expect(pixels).toEqual([
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
      ]);
    }
  });

  it('reports progress up to the total', async () => {
    const folder = temporaryFolder();
    const entries = await threeImages(folder);
    const seen: string[] = [];
    const packed = await withProgress(
      (line) => seen.push(line),
      () => packImages(entries, options(join(folder, 'cache'))),
    );
    packed.close();
    expect(seen.filter((line) => line.startsWith('decoding')).map((line) => line.split(' ')[2])).toEqual([
      '1/3',
      '2/3',
      '3/3',
    ]);
  });

  it('decodes nothing the second time, nor when the files lie elsewhere', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    await firstPixels(entries, options(cache));
    const [pack] = packFolders(cache);
    const { mtimeNs } = statSync(join(pack, 'images.bin'), { bigint: true });
    const copy = await threeImages(join(folder, 'copy'));
    const seen: string[] = [];
    await withProgress(
      (line) => seen.push(line),
      async () => [await firstPixels(entries, options(cache)), await firstPixels(copy, options(cache))],
    );
    expect(seen.filter((line) => line.startsWith('decoding'))).toEqual([]);
    expect(packFolders(cache)).toEqual([pack]);
    expect(statSync(join(pack, 'images.bin'), { bigint: true }).mtimeNs).toBe(mtimeNs);
  });

  it('sees a changed image even if size and modification time are the same', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    const past = new Date(Date.now() - 86_400_000);
    for (const { path } of entries) utimesSync(path, past, past);
    // Past the two seconds within which the memo trusts no stamp.
    await new Promise((done) => setTimeout(done, 2200));
    await firstPixels(entries, options(cache));
    expect(readdirSync(cache).filter((name) => name.startsWith('hashes-'))).toHaveLength(1);
    expect(await firstPixels(entries, options(cache))).toHaveLength(3);

    const size = statSync(entries[0].path).size;
    await writeImage(entries[0].path, [255, 255, 0]);
    expect(statSync(entries[0].path).size).toBe(size);
    utimesSync(entries[0].path, past, past);
    expect((await firstPixels(entries, options(cache)))[0]).toEqual([255, 255, 0]);
    expect(packFolders(cache)).toHaveLength(2);
  });

  it('keeps a cache per setting', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    for (const more of [{}, { resize: 'cover' as const }, { background: [0, 0, 0] as const }, { imageSize: 5 }]) {
      (await packImages(entries, options(cache, more as Partial<PackOptions>))).close();
    }
    expect(packFolders(cache)).toHaveLength(4);
  });

  it('names every broken image and leaves nothing behind', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    writeFileSync(entries[0].path, 'this is text');
    const jpeg = await writeImage(join(folder, 'cut.jpg'), [200, 100, 50], 64);
    truncateSync(jpeg, statSync(jpeg).size - 60);
    const all = [...entries, { path: jpeg, key: 'cut.jpg' }, { path: join(folder, 'gone.png'), key: 'gone.png' }];
    const message = await messageOf(packImages(all, options(cache)));
    expect(message).toMatch(/^3 of 5 images broken, more than maxBrokenShare 0 allows/);
    expect(message).toContain(`${entries[0].path}: unsupported image format`);
    expect(message).toContain(`${jpeg}: `);
    expect(message).toContain(`${join(folder, 'gone.png')}: no such file`);
    expect(message).not.toContain('\n');
    expect(readdirSync(cache)).toEqual([]);
  });

  it('skips broken images up to the allowed share and remembers them', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    writeFileSync(entries[1].path, 'this is text');
    for (let run = 0; run < 2; run++) {
      const packed = await packImages(entries, options(cache, { maxBrokenShare: 0.34 }));
      expect(packed.count).toBe(2);
      expect(packed.paths).toEqual([entries[0].path, entries[2].path]);
      expect(packed.entryIndices).toEqual([0, 2]);
      expect(packed.broken).toEqual([{ path: entries[1].path, reason: 'unsupported image format' }]);
      packed.close();
    }
    expect(await firstPixels(entries, options(cache, { maxBrokenShare: 0.34 }))).toEqual([
      [255, 0, 0],
      [0, 0, 255],
    ]);
    expect(await messageOf(packImages(entries, options(cache)))).toMatch(/1 of 3 images broken/);
  });

  it('refuses an empty list, and one of which nothing is left', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    expect(await messageOf(packImages([], options(cache)))).toMatch(/^empty dataset/);
    const gone = [{ path: join(folder, 'gone.png'), key: 'gone.png' }];
    expect(await messageOf(packImages(gone, options(cache, { maxBrokenShare: 1 })))).toMatch(
      /1 of 1 image broken, none is left/,
    );
  });

  it('rebuilds a cache that lost bytes or its index', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    const expected = await firstPixels(entries, options(cache));
    const [pack] = packFolders(cache);
    truncateSync(join(pack, 'images.bin'), 10);
    expect(await firstPixels(entries, options(cache))).toEqual(expected);
    rmSync(join(pack, 'index.json'));
    expect(await firstPixels(entries, options(cache))).toEqual(expected);
    expect(packFolders(cache)).toEqual([pack]);
  });

  it('lets two packers of the same images finish side by side', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    const results = await Promise.all([1, 2, 3].map(() => firstPixels(entries, options(cache))));
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(readdirSync(cache)).toEqual([packFolders(cache)[0].slice(cache.length + 1)]);
  });

  it('says in one line that the cache folder cannot be written', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'cache'), 'a file where a folder should be');
    expect(await messageOf(packImages(await threeImages(folder), options(join(folder, 'cache'))))).toMatch(
      /^cannot make folder .*cache is not a folder/,
    );
    expect(readFileSync(join(folder, 'cache'), 'utf8')).toBe('a file where a folder should be');
  });

  it('stops when an image changes between hashing and decoding', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    const change = (line: string): void => {
      if (line.startsWith('decoding')) writeFileSync(entries[2].path, 'changed');
    };
    const message = await messageOf(
      withProgress(change, () => packImages(entries, options(cache, { concurrency: 1 }))),
    );
    expect(message).toBe(`image ${entries[2].path}: changed while it was being packed; run again`);
    expect(readdirSync(cache)).toEqual([]);
  });

  it('removes what a killed packer left', async () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'cache');
    const entries = await threeImages(folder);
    let left = '';
    // While one packer works, copy the name of its folder under the number of a process that cannot exist.
    const leave = (line: string): void => {
      if (!line.startsWith('decoding')) return;
      const own = readdirSync(cache).find((name) => name.endsWith('.tmp'));
      left = own?.replace(/-\d+-/, '-999999999-') ?? '';
      mkdirSync(join(cache, left), { recursive: true });
    };
    await withProgress(leave, () => firstPixels(entries, options(cache)));
    expect(readdirSync(cache)).toContain(left);
    await firstPixels(entries.slice(1), options(cache));
    expect(readdirSync(cache)).not.toContain(left);
  });
});
