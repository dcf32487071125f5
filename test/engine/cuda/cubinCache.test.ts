import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ConfigError } from '#src/errors';
import { cacheFolder, checkCacheFolder, createCubinCache } from '../../../src/engine/cuda/cubinCache.js';

let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(os.tmpdir(), 'tokenfuse-cubins-')), 'cuda');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

const cubin = Uint8Array.of(1, 2, 3, 4);

it('gives back what was kept under the same key, and nothing under another', () => {
  const cache = createCubinCache(folder);
  cache.write(['source', '13.0'], cubin);
  expect(cache.read(['source', '13.0'])).toEqual(cubin);
  expect(cache.read(['source', '12.8'])).toBeUndefined();
  expect(cache.read(['source13.0'])).toBeUndefined();
});

it.each([
  ['cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
  ['empty', () => Buffer.alloc(0)],
  ['changed in one byte', (bytes: Buffer) => bytes.map((byte, i) => (i === 33 ? byte ^ 1 : byte))],
])('takes no entry that is %s', (_, damage) => {
  const cache = createCubinCache(folder);
  cache.write(['key'], cubin);
  const file = join(folder, readdirSync(folder)[0]);
  writeFileSync(file, damage(readFileSync(file)));
  expect(cache.read(['key'])).toBeUndefined();
});

it('leaves nothing half written, and goes on where the folder cannot be written', () => {
  createCubinCache(folder).write(['key'], cubin);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.cubin$/)]);
  const inFile = join(folder, readdirSync(folder)[0], 'below');
  expect(() => createCubinCache(inFile).write(['key'], cubin)).not.toThrow();
  expect(createCubinCache(inFile).read(['key'])).toBeUndefined();
});

it('drops what was not used for longest', () => {
  const cache = createCubinCache(folder);
  cache.write(['first'], cubin);
  const old = new Date(Date.now() - 1e6);
  utimesSync(join(folder, readdirSync(folder)[0]), old, old);
  for (let i = 0; i < 12; i++) cache.write([`key ${i}`], cubin);
  expect(readdirSync(folder)).toHaveLength(12);
  expect(cache.read(['first'])).toBeUndefined();
  expect(cache.read(['key 0'])).toEqual(cubin);
});

it("is among the user's caches unless a variable names a folder", () => {
  expect(cacheFolder({}, '/home/me')).toBe('/home/me/.cache/tokenfuse/cuda');
  expect(cacheFolder({ XDG_CACHE_HOME: '/caches' }, '/home/me')).toBe('/caches/tokenfuse/cuda');
  expect(cacheFolder({ XDG_CACHE_HOME: '/caches', TOKENFUSE_CUDA_CACHE: '/own' }, '/home/me')).toBe('/own');
});

it('refuses a folder that was asked for and cannot be one, before anything is compiled', () => {
  expect(() => checkCacheFolder({})).not.toThrow();
  expect(() => checkCacheFolder({ TOKENFUSE_CUDA_CACHE: join(folder, 'new') })).not.toThrow();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const refused =
    `TOKENFUSE_CUDA_CACHE: expected a folder that can be written, got '${file}' (EEXIST); ` +
    'name another, or unset it for /caches/tokenfuse/cuda';
  const env = { TOKENFUSE_CUDA_CACHE: file, XDG_CACHE_HOME: '/caches' };
  expect(() => checkCacheFolder(env)).toThrow(new ConfigError(refused));
});
