import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { captionImages, imageStates, loadJointModel, merge, planMerge, unmerge } from '#fusion';
import { Decoding } from '#language';
import { selectEngine, tf } from '#src/engine';
import { readSafetensors, sha256, writeSafetensors } from '#src/storage';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine, userErrorLine } from '../support/thrown.js';
import { alignTiny } from '../support/tinyAlign.js';
import { TINY_STACK, writeTinyBackbones } from '../support/tinyBackbones.js';
import { writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, noisePixels, stirFusion, tinyRecipe } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** SHA-256 of every file of a folder, by name. */
function fileHashes(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, sha256(readFileSync(join(folder, name)))]));
}

describe('merge', () => {
  it('keeps every tensor of both backbones, byte by byte, and reports their hashes', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const { plan } = planMerge(tinyRecipe(), folder);
    const report = merge(plan!, join(folder, 'merged'));
    const merged = readCheckpoint(join(folder, 'merged')).tensors;
    for (const from of ['vision', 'language'] as const) {
      const { tensors } = readCheckpoint(join(folder, from));
      expect(report.tensors.filter((entry) => entry.from === from).map(({ name }) => name)).toEqual([
        ...tensors.keys(),
      ]);
      for (const [name, tensor] of tensors) {
        expect(merged.get(name)).toEqual(tensor);
        const hash = sha256(Buffer.from(tensor.values.slice().buffer));
        expect(report.tensors.find((entry) => entry.name === name)).toMatchObject({
          inputSha256: hash,
          outputSha256: hash,
        });
      }
    }
    expect(report.kept).toBe(true);
    expect(report.recipe).toEqual(tinyRecipe());
    expect(JSON.parse(readFileSync(join(folder, 'merged', 'merge_report.json'), 'utf8'))).toEqual(report);
  });

  it('counts the parameters that are there', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const { plan } = planMerge(tinyRecipe({ method: 'grouped' }), folder);
    const { parameters } = merge(plan!, join(folder, 'merged'));
    let total = 0;
    for (const [name, { values }] of readCheckpoint(join(folder, 'merged')).tensors) {
      if (!name.endsWith('/tau')) total += values.length;
    }
    expect(parameters.vision + parameters.language + parameters.fusion).toBe(total);
    expect(plan!.bytes).toBe(4 * total);
  });

  it('starts every bridge group with keys N(0, 1/dIn), values 0 and τ = √tokens', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder, { vision: { dModel: 16 } });
    const { tensors } = readCheckpoint(
      mergeTiny(folder, { bridge: { tokens: 256, parts: ['imageKey', 'imageValue', 'textQuery'] } }),
    );
    for (const [path, dIn] of [
      ['block0/attention/key/imageBridge', 16],
      ['block1/attention/query/textBridge', 8],
    ] as const) {
      const keys = tensors.get(`${path}/keyParamTokens`)!;
      expect(keys.shape).toEqual([256, dIn]);
      const variance = Array.from(keys.values).reduce((sum, x) => sum + x * x, 0) / keys.values.length;
      expect(variance * dIn).toBeGreaterThan(0.85);
      expect(variance * dIn).toBeLessThan(1.15);
      expect(tensors.get(`${path}/valueParamTokens`)!.values.every((x) => x === 0)).toBe(true);
      expect(tensors.get(`${path}/tau`)!.values[0]).toBe(16);
    }
  });

  it('gives the same bytes again, and others under another seed', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const first = fileHashes(mergeTiny(folder, {}, 'first'));
    expect(fileHashes(mergeTiny(folder, {}, 'second'))).toEqual(first);
    const { plan } = planMerge({ ...tinyRecipe(), seed: 99 }, folder);
    merge(plan!, join(folder, 'third'));
    expect(fileHashes(join(folder, 'third'))['model.safetensors']).not.toBe(first['model.safetensors']);
  });

  it('refuses a folder with something in it and leaves it as it was', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    mkdirSync(join(folder, 'merged'));
    writeFileSync(join(folder, 'merged', 'thesis.txt'), 'years of work');
    const { plan } = planMerge(tinyRecipe(), folder);
    expect(userErrorLine(() => merge(plan!, join(folder, 'merged')))).toContain('expected a new or empty place');
    expect(readdirSync(join(folder, 'merged'))).toEqual(['thesis.txt']);
  });

  it('puts the merged model in place whole, its report included', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    mergeTiny(folder);
    expect(readdirSync(join(folder, 'merged')).sort()).toEqual([
      'manifest.json',
      'merge_report.json',
      'model.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  const shapes = [
    { vision: { dModel: 16 } },
    { vision: { numLayers: 3 } },
    { vision: { numHeads: 4 } },
    { vision: { dModel: 12, numLayers: 1, numHeads: 3, qkvParamTokens: 7 }, language: { numLayers: 3 } },
  ];
  for (const backbones of shapes) {
    for (const reading of ['last', 'perLayer'] as const) {
      it(`joins backbones of different shapes under routed: ${JSON.stringify(backbones)}, ${reading}`, async () => {
        const folder = temporaryFolder();
        writeTinyBackbones(folder, backbones);
        const model = loadJointModel(mergeTiny(folder, { imageStates: reading, positionValues: false }));
        const states = tf.tidy(() => imageStates(model, noisePixels(3)));
        for (const stirred of [false, true]) {
          if (stirred) stirFusion(model, 3);
          const captions = await captionImages(model, states, {
            decoding: Decoding.parse({ method: 'greedy', maxTokens: 5 }),
            bridge: true,
          });
          expect(captions).toHaveLength(3);
          if (stirred) expect(new Set(captions).size).toBeGreaterThan(1);
        }
        states.dispose();
        model.dispose();
      });
    }
  }

  it('maps the vision width to the language width by the bridge alone when the shapes differ', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder, { vision: { dModel: 16 } });
    const { tensors } = readCheckpoint(mergeTiny(folder));
    expect(tensors.get('block0/attention/value/imageBridge/keyParamTokens')!.shape).toEqual([4, 16]);
    expect(tensors.get('block0/attention/value/imageBridge/valueParamTokens')!.shape).toEqual([4, 8]);
    expect(tensors.get('block0/attention/output/imageBridge/keyParamTokens')!.shape).toEqual([4, TINY_STACK.dModel]);
  });
});

describe('unmerge', () => {
  it('gives both backbones back, every byte', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    unmerge(mergeTiny(folder), join(folder, 'vision-again'), join(folder, 'language-again'));
    for (const room of ['vision', 'language']) {
      expect(fileHashes(join(folder, `${room}-again`))).toEqual(fileHashes(join(folder, room)));
    }
  });

  it('gives both backbones back from an aligned model too', async () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    await writeTinyCaptions(folder);
    mergeTiny(folder, { method: 'grouped' });
    const { runDir } = await alignTiny(folder);
    unmerge(findCheckpoint(runDir), join(folder, 'vision-again'), join(folder, 'language-again'));
    for (const room of ['vision', 'language']) {
      expect(fileHashes(join(folder, `${room}-again`))).toEqual(fileHashes(join(folder, room)));
    }
  });

  it('writes neither backbone when one of the folders is taken', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const merged = mergeTiny(folder);
    const refused = userErrorLine(() => unmerge(merged, join(folder, 'new'), join(folder, 'vision')));
    expect(refused).toContain('vision: expected a new or empty place, got a model');
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  it('goes on where it was interrupted: a backbone that is there already stays', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const merged = mergeTiny(folder);
    unmerge(merged, join(folder, 'v'), join(folder, 'l'));
    rmSync(join(folder, 'l'), { recursive: true });
    unmerge(merged, join(folder, 'v'), join(folder, 'l'));
    expect(fileHashes(join(folder, 'l'))).toEqual(fileHashes(join(folder, 'language')));
  });

  it.each(['unmerge', 'align'])('%s refuses a backbone tensor that is not the one that was merged', async (command) => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    await writeTinyCaptions(folder);
    const path = join(mergeTiny(folder), 'model.safetensors');
    const { tensors } = readSafetensors(path);
    tensors.get('block0/ffn/vision/keyParamTokens')!.values[3] += 1;
    writeSafetensors(path, tensors);
    rmSync(join(folder, 'merged', 'manifest.json'));
    const line =
      command === 'align'
        ? await rejectedLine(alignTiny(folder))
        : userErrorLine(() => unmerge(join(folder, 'merged'), join(folder, 'a'), join(folder, 'b')));
    expect(line).toMatch(/1 of \d+ backbone tensors are not those .*'block0\/ffn\/vision\/keyParamTokens'/);
    expect(existsSync(join(folder, 'a'))).toBe(false);
  });

  it('refuses a model that is not merged, in one line', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const refused = userErrorLine(() => unmerge(join(folder, 'vision'), join(folder, 'a'), join(folder, 'b')));
    expect(refused).toContain('expected a merged model, got a vision model');
    expect(existsSync(join(folder, 'a'))).toBe(false);
  });
});
