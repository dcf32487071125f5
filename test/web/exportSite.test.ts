import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { JOINT_KIND } from '#fusion';
import { Decoding } from '#language';
import { selectEngine } from '#src/engine';
import { readModel } from '#src/training';
import { exportSite } from '#web';
import type { SiteManifest } from '../../web/manifest.js';
import { decodeWeights } from '../../web/weights/index.js';
import { writeAligned } from '../support/alignedModel.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';

const decoding = Decoding.parse({ method: 'greedy', maxTokens: 6 });
const options = { version: '1.2.3', decoding };

beforeAll(async () => {
  await selectEngine('wasm');
});

function manifestIn(folder: string): SiteManifest {
  return JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as SiteManifest;
}

describe('a page of a merged model', () => {
  it('has its files, its weights, examples, and what their precision costs', async () => {
    const folder = temporaryFolder();
    const aligned = await writeAligned(folder);
    await writeTinyCaptions(folder);
    const captions = join(folder, 'captions.json');
    const out = join(folder, 'site');
    const check = { captions, maxPairs: 20, cacheDir: join(folder, 'cache') };
    const exported = await exportSite(aligned, out, { ...options, examples: { argument: captions }, check });

    const manifest = manifestIn(out);
    const files = [
      ...[
        'index.html',
        'kernels.wasm',
        'model.json',
        'page.js',
        'tfjs-backend-wasm-simd.wasm',
        'weights-1.bin',
        'worker.js',
      ],
      ...manifest.examples.map(({ file }) => file),
    ];
    const found = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(found.map(({ name }) => name).sort()).toEqual(files.map((name) => name.replace('examples/', '')).sort());
    const bytes = files.reduce((sum, name) => sum + readFileSync(join(out, name)).length, 0);
    expect(exported.bytes).toBe(bytes);
    expect(manifest).toMatchObject({ format: 1, tokenfuse: '1.2.3', weights: { precision: 'float16' } });
    expect(manifest.examples.length).toBeGreaterThan(1);
    expect(manifest.examples[0].references[0]).toMatch(/square/);

    const { tensors } = readModel(aligned, JOINT_KIND);
    const decoded = decodeWeights(manifest.weights, [readFileSync(join(out, 'weights-1.bin'))]);
    expect([...decoded.keys()]).toEqual([...tensors.keys()]);

    const { loss } = exported;
    expect(loss.logits.change).toBeGreaterThan(0);
    expect(loss.logits.change).toBeLessThan(0.1 * loss.logits.largest);
    expect(loss.captions?.nll.after).toBeCloseTo(loss.captions?.nll.before as number, 2);
    const page = readFileSync(join(out, 'index.html'), 'utf8');
    expect(page).toContain(loss.captions?.nll.after.toFixed(5));
    // A page tells nothing of the machine that it was made on.
    for (const name of ['index.html', 'model.json', 'page.js', 'worker.js']) {
      expect(readFileSync(join(out, name), 'utf8')).not.toContain(folder);
    }
  });

  it('in float32 loses nothing, and int8 more than float16', async () => {
    const folder = temporaryFolder();
    const aligned = await writeAligned(folder);
    const loss = async (weights: 'float32' | 'float16' | 'int8') =>
      await exportSite(aligned, join(folder, weights), { ...options, weights });
    const [full, half, bytes] = [await loss('float32'), await loss('float16'), await loss('int8')];
    expect(full.loss.logits.change).toBe(0);
    expect(full.loss.sameToken).toBe(1);
    expect(half.loss.logits.change).toBeLessThan(bytes.loss.logits.change);
    expect(bytes.weightBytes).toBeLessThan(half.weightBytes);
    expect(half.weightBytes).toBeLessThan(0.6 * full.weightBytes);
  });

  it('can be one file, which holds the others', async () => {
    const folder = temporaryFolder();
    const aligned = await writeAligned(folder);
    const out = join(folder, 'site');
    const { bytes } = await exportSite(aligned, out, { ...options, singleFile: true });
    expect(readdirSync(out)).toEqual(['index.html']);
    const page = readFileSync(join(out, 'index.html'), 'utf8');
    expect(bytes).toBe(Buffer.byteLength(page));
    const inside = [...page.matchAll(/data-file="([^"]+)"/g)].map(([, name]) => name);
    expect(inside.sort()).toEqual([
      'kernels.wasm',
      'model.json',
      'tfjs-backend-wasm-simd.wasm',
      'weights-1.bin',
      'worker.js',
    ]);
  });
});

it('a page of a language model has no pictures', async () => {
  const folder = temporaryFolder();
  await writeAligned(folder);
  const out = join(folder, 'site');
  const { kind, loss } = await exportSite(join(folder, 'language'), out, { ...options, prompts: ['a red'] });
  expect(kind).toBe('language');
  expect(loss.captions).toBeUndefined();
  expect(manifestIn(out)).toMatchObject({ model: { kind: 'language' }, examples: [], prompts: ['a red'] });
});

it('a vision model is refused', async () => {
  const folder = temporaryFolder();
  await writeAligned(folder);
  await expect(exportSite(join(folder, 'vision'), join(folder, 'site'), options)).rejects.toThrow('got a vision model');
});
