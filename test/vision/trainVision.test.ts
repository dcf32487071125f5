import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, readCheckpoint } from '#src/training';
import { trainVision, VisionExperiment, VisionModelConfig } from '#vision';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A folder per colour, each with six images of it in different shades. */
async function folderOfColours(): Promise<string> {
  const root = temporaryFolder();
  for (const [channel, name] of ['red', 'green', 'blue'].entries()) {
    mkdirSync(join(root, 'images', name), { recursive: true });
    for (let shade = 0; shade < 6; shade++) {
      const [r, g, b] = [0, 1, 2].map((c) => (c === channel ? 255 - 10 * shade : 8 * shade));
      const image = sharp({ create: { width: 8, height: 8, channels: 3, background: { r, g, b } } });
      await image.png().toFile(join(root, 'images', name, `${shade}.png`));
    }
  }
  return root;
}

function experiment(given: Record<string, unknown> = {}): VisionExperiment {
  const tokens = { qkvParamTokens: 12, outputParamTokens: 12, ffnParamTokens: 24 };
  return VisionExperiment.parse({
    kind: 'vision',
    name: 'colours',
    seed: 1,
    model: { imageSize: 8, patchSize: 4, stack: { dModel: 12, numLayers: 1, numHeads: 2, ...tokens } },
    objectives: [{ kind: 'classify' }, { kind: 'maskedPatches', weight: 0.1, decoderModel: 8, decoderHeads: 2 }],
    data: { train: { kind: 'classFolders', path: 'images', validationShare: 0.2 } },
    training: { steps: 20, batchSize: 6, learningRate: 0.01, evaluateEvery: 10 },
    ...given,
  });
}

function run(root: string, given?: Record<string, unknown>) {
  const runDir = join(root, 'run');
  const options = { runDir, root, cacheDir: join(root, 'cache'), resume: false, output: recordedOutput() };
  return { runDir, output: options.output, result: trainVision(experiment(given), options) };
}

describe('trainVision', () => {
  it('learns to tell the classes apart, and leaves a checkpoint that says what its labels mean', async () => {
    const root = await folderOfColours();
    const before = tf.memory().numTensors;
    const { runDir, output, result } = run(root);
    const { last } = await result;
    expect(tf.memory().numTensors).toBe(before);
    expect(last['validation/accuracy']).toBe(1);
    expect(Object.keys(last).sort()).toEqual(['validation/accuracy', 'validation/loss', 'validation/maskedError']);
    expect(output.lines[0]).toMatch(/^\d+ training images, \d+ for validation$/);

    const { model, tensors } = readCheckpoint(findCheckpoint(runDir));
    expect(model.kind).toBe('vision');
    const config = VisionModelConfig.parse(model.config);
    expect(config.labels).toEqual({ classNames: ['blue', 'green', 'red'] });
    expect(tensors.get('vision/head/classify/kernel')!.shape).toEqual([12, 3]);
  });

  it('gives the same metrics when it is run again', async () => {
    const root = await folderOfColours();
    const first = run(root);
    await first.result;
    const again = { ...experiment() };
    const secondDir = join(root, 'again');
    const cacheDir = join(root, 'cache');
    await trainVision(again, { runDir: secondDir, root, cacheDir, resume: false, output: recordedOutput() });
    expect(readMetrics(secondDir)).toEqual(readMetrics(first.runDir));
  });

  it('refuses an objective whose labels the data does not have', async () => {
    const root = await folderOfColours();
    const { result } = run(root, { objectives: [{ kind: 'attributes', scope: 'image' }] });
    expect(await rejectedLine(result)).toMatch(/attributes|labels/);
    expect(readdirSync(root).sort()).toEqual(['images']);
  });

  it('refuses an objective given twice', async () => {
    const root = await folderOfColours();
    const { result } = run(root, { objectives: [{ kind: 'classify' }, { kind: 'classify', weight: 2 }] });
    expect(await rejectedLine(result)).toContain("expected each once, got 'classify' twice");
  });

  it('tells of an image that it had to skip', async () => {
    const root = await folderOfColours();
    writeFileSync(join(root, 'images', 'red', 'broken.png'), 'no picture');
    const train = { kind: 'classFolders', path: 'images', validationShare: 0.2, maxBrokenShare: 0.1 };
    const { output, result } = run(root, { data: { train }, training: { steps: 1, batchSize: 2, learningRate: 0.01 } });
    await result;
    expect(
      output.lines.some((line) => line.startsWith('1 broken image left out: ') && line.includes('broken.png')),
    ).toBe(true);
  });

  it('refuses a single class before anything is trained, and says what lies beside the class folders', async () => {
    const root = await folderOfColours();
    for (const name of ['green', 'blue']) rmSync(join(root, 'images', name), { recursive: true });
    writeFileSync(join(root, 'images', 'notes.txt'), 'x');
    writeFileSync(join(root, 'images', 'stray.png'), 'x');
    const images = { kind: 'classFolders', path: 'images' };
    const { runDir, output, result } = run(root, { data: { train: images, validation: images } });
    expect(await rejectedLine(result)).toContain("at least 2 classes, got only 'red'");
    expect(existsSync(runDir)).toBe(false);
    const line = 'images: 2 files passed over: stray.png (in no class folder), notes.txt';
    expect(output.lines).toEqual([line, line]);
  });
});
