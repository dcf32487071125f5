import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import {
  LanguageExperiment,
  languageTask,
  loadLanguageModel,
  openTextDataset,
  trainBpe,
  trainLanguage,
  writeBpeModel,
} from '#language';
import { selectEngine, tf } from '#src/engine';
import { prefixStack } from '#src/tokenformer';
import { readMetrics } from '#src/tracking';
import { findCheckpoint } from '#src/training';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';

const text = 'the cat sat on the mat. the dog sat on the log. '.repeat(40);
const NESTED = { least: 0.25 };

beforeAll(async () => {
  await selectEngine('wasm');
});

function folderWithText(): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'text.txt'), text);
  writeBpeModel(join(root, 'bpe.json'), trainBpe({ texts: [text], vocabSize: 270 }));
  return root;
}

const SIZES = { qkvParamTokens: 8, outputParamTokens: 8, ffnParamTokens: 16 };

function experiment(training: Record<string, unknown>, stack: Record<string, unknown> = SIZES): LanguageExperiment {
  return LanguageExperiment.parse({
    kind: 'language',
    name: 'tiny',
    seed: 2,
    model: { stack: { ...{ dModel: 16, numLayers: 1, numHeads: 2, rotaryShare: 0.25 }, ...stack } },
    tokenizer: { kind: 'bpe', path: 'bpe.json' },
    data: { files: ['text.txt'], seqLen: 16, validationShare: 0.1 },
    training: {
      ...{ steps: 12, batchSize: 2, gradientAccumulation: 2, learningRate: 0.03, logEvery: 1 },
      ...{ evaluateEvery: 4, checkpointEvery: 3 },
      ...training,
    },
  });
}

/** Trains in `<root>/<name>`; with `stopAfter`, only as many steps as that, as a signal would. */
async function run(
  root: string,
  name: string,
  of: LanguageExperiment,
  { resume = false, stopAfter = Number.POSITIVE_INFINITY } = {},
): Promise<string> {
  const runDir = join(root, name);
  const steps = (): number => Math.max(0, ...readMetrics(runDir).map(({ step }) => step));
  const signal = {
    get aborted() {
      return Number.isFinite(stopAfter) && steps() >= stopAfter;
    },
    reason: new Error('stopped'),
  };
  const options = { runDir, root, cacheDir: join(root, 'cache'), resume, output: recordedOutput(), signal };
  const done = trainLanguage(of, options);
  if (Number.isFinite(stopAfter)) await expect(done).rejects.toThrow('stopped');
  else await done;
  return runDir;
}

function bytesOf(runDir: string): string[] {
  const last = findCheckpoint(runDir, 'last');
  const paths = ['model.safetensors', 'optimizer.safetensors', 'state.json'].map((file) => join(last, file));
  return [...paths, join(runDir, 'metrics.jsonl')].map((path) => readFileSync(path, 'latin1'));
}

it('a run with nested dropout is resumed bit for bit, through a growth too, and leaks nothing', async () => {
  const root = folderWithText();
  const of = experiment({ nested: NESTED, stages: [{ afterStep: 6, factor: 2 }] });
  const before = tf.memory().numTensors;
  const unbroken = await run(root, 'unbroken', of);
  expect(tf.memory().numTensors).toBe(before);
  for (const stopAfter of [4, 6, 9]) {
    const name = `stopped-${stopAfter}`;
    await run(root, name, of, { stopAfter });
    expect(bytesOf(await run(root, name, of, { resume: true })), name).toEqual(bytesOf(unbroken));
  }
  const whole = await run(root, 'whole', experiment({ stages: [{ afterStep: 6, factor: 2 }] }));
  const flops = (runDir: string): number => readMetrics(runDir).at(-1)?.values['train/flops'] ?? Number.NaN;
  expect(flops(unbroken)).toBeLessThan(flops(whole));
});

it('makes prefixes better models than those of a run without it', { timeout: 60_000 }, async () => {
  const root = folderWithText();
  const losses: Record<string, number[]> = {};
  for (const [name, nested] of [
    ['nested', NESTED],
    ['whole', undefined],
  ] as const) {
    const of = experiment({ steps: 120, evaluateEvery: 60, checkpointEvery: 60, nested });
    const { tree, config, tokenizer, dispose } = loadLanguageModel(await run(root, name, of));
    const dataset = openTextDataset(of.data, tokenizer, {
      cacheDir: join(root, 'cache'),
      baseDir: root,
      seed: of.seed,
    });
    losses[name] = [];
    for (const share of [0.25, 0.5]) {
      const smaller = { ...config, stack: prefixStack(config.stack, { share }) };
      const { 'validation/loss': loss } = await languageTask(tree, smaller, dataset, of).evaluate(() => undefined);
      losses[name].push(loss);
    }
    dataset.dispose();
    dispose();
  }
  for (const [i, loss] of losses.nested.entries()) expect(loss).toBeLessThan(losses.whole[i] - 0.1);
});

it('is refused for a standard Transformer, which has no parameter tokens', async () => {
  const of = experiment({ nested: NESTED }, { kind: 'transformer' });
  expect(await rejectedLine(run(folderWithText(), 'run', of))).toContain('training.nested: expected none');
});
