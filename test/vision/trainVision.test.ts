import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { readEvents } from 'tensorboard-writer';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { listEventFiles, readMetrics } from '#src/tracking';
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

function run(root: string, given?: Record<string, unknown>, name = 'run') {
  const runDir = join(root, name);
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

  it('shows TensorBoard how much each parameter token is used by held-out images', async () => {
    const root = await folderOfColours();
    const training = { steps: 300, batchSize: 2, learningRate: 0.001, logEvery: 100, evaluateEvery: 150 };
    const before = tf.memory().numTensors;
    const { runDir, result } = run(root, { training, objectives: [{ kind: 'classify' }] });
    await result;
    expect(tf.memory().numTensors).toBe(before);
    const shown = readEvents(listEventFiles(join(runDir, 'events'))[0]).flatMap(({ step, values }) =>
      values.flatMap((value) => (value.kind === 'histogram' ? [[step, value.tag, value.histogram.count]] : [])),
    );
    expect(shown).toEqual(
      ['attention/query', 'attention/key', 'attention/value', 'attention/output', 'ffn'].map((layer) => [
        300,
        `use/vision/block0/${layer}`,
        layer === 'ffn' ? 24 : 12,
      ]),
    );
  });

  it('trains the same parameters when blocks are computed again for their gradient', async () => {
    const root = await folderOfColours();
    const training = { steps: 5, batchSize: 6, learningRate: 0.01, evaluateEvery: 5 };
    const runs = [{}, { recompute: true }].map((more, i) =>
      run(root, { training: { ...training, ...more } }, `run${i}`),
    );
    for (const { result } of runs) await result;
    const [kept, again] = runs.map(({ runDir }) => readCheckpoint(findCheckpoint(runDir)).tensors);
    expect(again).toEqual(kept);
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

  it('trains prefixes, of all objectives, for fewer operations, and the same ones again', async () => {
    const root = await folderOfColours();
    const training = { steps: 20, batchSize: 6, learningRate: 0.01, evaluateEvery: 10 };
    const before = tf.memory().numTensors;
    const nested = { training: { ...training, nested: { least: 0.25 } } };
    const first = run(root, nested, 'first');
    await first.result;
    const second = run(root, nested, 'second');
    await second.result;
    expect(tf.memory().numTensors).toBe(before);
    expect(readMetrics(second.runDir)).toEqual(readMetrics(first.runDir));
    const whole = run(root, { training }, 'whole');
    await whole.result;
    const last = (of: typeof whole, name: string): number => readMetrics(of.runDir).at(-1)!.values[name];
    expect(last(first, 'train/flops')).toBeLessThan(last(whole, 'train/flops'));
    expect(last(first, 'validation/loss')).not.toBe(last(whole, 'validation/loss'));
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

describe('from a trained model', () => {
  const larger = {
    imageSize: 8,
    patchSize: 4,
    stack: { dModel: 12, numLayers: 2, numHeads: 2, qkvParamTokens: 20, outputParamTokens: 12, ffnParamTokens: 36 },
  };
  const training = { steps: 2, batchSize: 6, learningRate: 0.01, evaluateEvery: 1 };
  const initFrom = { checkpoint: 'run', select: 'last' };
  const lossAtStart = (runDir: string): number => readMetrics(runDir)[0].values['validation/loss'];

  it('goes on where that ended, at a larger size too, heads included', async () => {
    const root = await folderOfColours();
    const { last } = await run(root).result;
    const same = run(root, { initFrom, training }, 'same');
    await same.result;
    expect(lossAtStart(same.runDir)).toBe(Math.fround(last['validation/loss']));
    const grown = run(root, { initFrom, training, model: larger }, 'grown');
    await grown.result;
    expect(lossAtStart(grown.runDir)).toBeCloseTo(last['validation/loss'], 5);
    const { tensors } = readCheckpoint(findCheckpoint(grown.runDir));
    expect(tensors.get('block1/ffn/vision/keyParamTokens')!.shape).toEqual([36, 12]);
  });

  it('keeps the backbone and starts the heads anew for other objectives, and says so', async () => {
    const root = await folderOfColours();
    await run(root).result;
    const frozen = {
      ...initFrom,
      freeze: ['/vision/', 'vision/patchEmbedding', 'vision/positionEmbedding', 'finalNorm'],
    };
    const other = run(root, { initFrom: frozen, training, objectives: [{ kind: 'classify' }] }, 'other');
    await other.result;
    expect(other.output.lines).toContain(
      'other objectives or labels than in initFrom: their parameters start at random',
    );
    const [before, after] = ['run', 'other'].map(
      (name) => readCheckpoint(findCheckpoint(join(root, name), 'last')).tensors,
    );
    expect(
      [...after.keys()].filter(
        (name) => before.get(name)?.values.every((v, i) => v === after.get(name)!.values[i]) !== true,
      ),
    ).toEqual(['vision/head/classify/bias', 'vision/head/classify/kernel']);
  });

  it('grows in the middle of a run', async () => {
    const root = await folderOfColours();
    const before = tf.memory().numTensors;
    const stages = [{ afterStep: 4, policy: 'preserve', factor: 2, layers: 1 }];
    const { runDir, result } = run(root, { training: { ...training, steps: 8, stages } });
    await result;
    expect(tf.memory().numTensors).toBe(before);
    const growth = readMetrics(runDir).find(({ values }) => 'growth/before' in values)!;
    expect(growth.step).toBe(5);
    expect(growth.values['growth/after']).toBeCloseTo(growth.values['growth/before'], 5);
    const { model } = readCheckpoint(findCheckpoint(runDir, 'last'));
    expect(VisionModelConfig.parse(model.config).backbone.stack).toMatchObject({ numLayers: 2, ffnParamTokens: 48 });
  });

  it('grows a standard Transformer by copies, its heads and decoder with it', async () => {
    const root = await folderOfColours();
    const stack = { kind: 'transformer', dModel: 12, numLayers: 1, numHeads: 2, mlpHidden: 16 };
    const given = {
      model: { imageSize: 8, patchSize: 4, pooling: 'classToken', stack },
      training: { ...training, steps: 8, stages: [{ afterStep: 4, policy: 'net2net', factor: 2 }] },
    };
    const { runDir, result } = run(root, given);
    await result;
    const { values } = readMetrics(runDir).find((entry) => 'growth/before' in entry.values)!;
    expect(values['growth/after']).toBeCloseTo(values['growth/before'], 5);
  });

  it('counts what a step costs by the patches that it sees', async () => {
    const root = await folderOfColours();
    const cost = async (objectives: object[], name: string): Promise<number> => {
      const { runDir, result } = run(root, { objectives, training: { ...training, steps: 1 } }, name);
      await result;
      return readMetrics(runDir).findLast((entry) => 'train/flops' in entry.values)!.values['train/flops'];
    };
    // 4 patches of 48 numbers, width 12, layers of 12, 12, 12, 12 and 24 tokens, 3 classes; a batch, 3 passes of 2 operations.
    const stackOf = (tokens: number): number => tokens * 2 * 12 * 72 + 2 * 12 * tokens ** 2;
    const image = 4 * 48 * 12 + stackOf(4);
    const batch = training.batchSize * 6;
    expect(await cost([{ kind: 'classify' }], 'classify')).toBe(Math.fround(batch * (image + 12 * 3)));
    // One visible patch; a decoder of width 8 over all four, with layers of 8, 8, 8, 8 and 32 tokens.
    const decoder = 12 * 8 + 4 * 2 * 8 * 64 + 2 * 8 * 16 + 3 * 8 * 48;
    const masked = { kind: 'maskedPatches', decoderModel: 8, decoderHeads: 2 };
    expect(await cost([masked], 'masked')).toBe(Math.fround(batch * (48 * 12 + stackOf(1) + decoder)));
  });

  it('is refused with another patch grid', async () => {
    const root = await folderOfColours();
    await run(root, { training }).result;
    const { result } = run(root, { initFrom, training, model: { ...larger, patchSize: 2 } }, 'other');
    expect(await rejectedLine(result)).toContain('model.patchSize: expected 4');
  });
});
