import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEvents } from 'tensorboard-writer';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  Decoding,
  generateText,
  LanguageExperiment,
  languageUsage,
  loadLanguageModel,
  loadTokenizer,
  openLanguageData,
  trainBpe,
  trainLanguage,
  writeBpeModel,
} from '#language';
import { selectEngine, tf } from '#src/engine';
import { listEventFiles, readMetrics } from '#src/tracking';
import { findCheckpoint } from '#src/training';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine, userErrorLine } from '../support/thrown.js';

const text = 'the cat sat on the mat. the dog sat on the log. '.repeat(40);

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A folder with a text and a tokenizer trained on it. */
function folderWithText(): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'text.txt'), text);
  writeBpeModel(join(root, 'bpe.json'), trainBpe({ texts: [text], vocabSize: 270 }));
  return root;
}

function experiment(given: Record<string, unknown> = {}): LanguageExperiment {
  return LanguageExperiment.parse({
    kind: 'language',
    name: 'tiny',
    seed: 2,
    model: {
      stack: {
        dModel: 16,
        numLayers: 1,
        numHeads: 2,
        qkvParamTokens: 16,
        outputParamTokens: 16,
        ffnParamTokens: 32,
        rotaryShare: 0.25,
      },
    },
    tokenizer: { kind: 'bpe', path: 'bpe.json' },
    data: { files: ['text.txt'], seqLen: 16, validationShare: 0.1 },
    training: { steps: 40, batchSize: 4, learningRate: 0.03, logEvery: 1, evaluateEvery: 20 },
    ...given,
  });
}

function run(root: string, given?: Record<string, unknown>, runName = 'run') {
  const runDir = join(root, runName);
  const options = { runDir, root, cacheDir: join(root, 'cache'), resume: false, output: recordedOutput() };
  return { runDir, output: options.output, result: trainLanguage(experiment(given), options) };
}

describe('trainLanguage', () => {
  it('learns a text, reports perplexity on held-out text, and leaves a model that continues it', async () => {
    const root = folderWithText();
    const before = tf.memory().numTensors;
    const { runDir, output, result } = run(root);
    const { last } = await result;
    expect(tf.memory().numTensors).toBe(before);

    const [first] = readMetrics(runDir);
    expect(first.values['validation/perplexity']).toBeGreaterThan(150);
    expect(last['validation/perplexity']).toBeCloseTo(Math.exp(last['validation/loss']), 4);
    expect(last['validation/perplexity']).toBeLessThan(30);
    expect(output.lines[0]).toMatch(/^\d+ tokens in 1 documents, vocabulary 270$/);

    const model = loadLanguageModel(runDir);
    expect(model.config).toMatchObject({ vocabSize: 270, seqLen: 16, stack: { dModel: 16, numLayers: 1 } });
    const [continued] = await generateText(model, 'the ', Decoding.parse({ method: 'greedy', maxTokens: 8 }));
    expect(continued.text.length).toBeGreaterThan(0);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('predicts the next token, whether its objective is named or not', async () => {
    const root = folderWithText();
    const training = { steps: 4, batchSize: 4, learningRate: 0.03, logEvery: 1, evaluateEvery: 2 };
    const metrics: string[] = [];
    for (const given of [{}, { objective: { kind: 'nextToken' } }]) {
      const { runDir, result } = run(root, { training, ...given }, `run${metrics.length}`);
      await result;
      metrics.push(readFileSync(join(runDir, 'metrics.jsonl'), 'utf8'));
    }
    expect(metrics[1]).toBe(metrics[0]);
    // A record of a study is compared with the parsed file: an objective that nobody named must not come into it.
    expect(experiment()).not.toHaveProperty('objective');
  });

  it('shows TensorBoard how much each parameter token is used by held-out text', async () => {
    const root = folderWithText();
    const training = { steps: 300, batchSize: 2, learningRate: 0.01, logEvery: 100, evaluateEvery: 150 };
    const before = tf.memory().numTensors;
    const { runDir, result } = run(root, { training });
    await result;
    expect(tf.memory().numTensors).toBe(before);
    const [file] = listEventFiles(join(runDir, 'events'));
    const shown = readEvents(file).flatMap(({ step, values }) =>
      values.flatMap((value) => (value.kind === 'histogram' ? [{ step, ...value }] : [])),
    );
    expect(shown.map(({ step, tag, histogram }) => [step, tag, histogram.count])).toEqual([
      [300, 'use/language/block0/attention/query', 16],
      [300, 'use/language/block0/attention/key', 16],
      [300, 'use/language/block0/attention/value', 16],
      [300, 'use/language/block0/attention/output', 16],
      [300, 'use/language/block0/ffn', 32],
    ]);
    // As it is measured for shrinking, on the first two held-out sequences.
    const model = loadLanguageModel(findCheckpoint(runDir, 'last'));
    const data = openLanguageData(experiment(), model.tokenizer, { root, cacheDir: join(root, 'cache') });
    const usage = await languageUsage(model.tree, model.config, data.validationBatches(2, 1));
    const sums = usage.map(({ use }) => use.reduce((sum, each) => sum + each, 0));
    for (const [i, { histogram }] of shown.entries()) expect(histogram.sum).toBeCloseTo(sums[i], 5);
    data.dispose();
    model.dispose();
  });

  it('carries its tokenizer, so that the run can be moved', async () => {
    const root = folderWithText();
    const { runDir, result } = run(root, { training: { steps: 1, batchSize: 1, learningRate: 0.01 } });
    await result;
    const carried = readFileSync(join(findCheckpoint(runDir), 'tokenizer.json'));
    expect(carried.equals(readFileSync(join(root, 'bpe.json')))).toBe(true);
    writeFileSync(join(root, 'bpe.json'), 'gone');
    const model = loadLanguageModel(runDir);
    expect(model.tokenizer.decode(model.tokenizer.encode('the cat'))).toBe('the cat');
    model.dispose();
  });

  it('refuses to load with another tokenizer than it was trained with', async () => {
    const root = folderWithText();
    const { runDir, result } = run(root, { training: { steps: 1, batchSize: 1, learningRate: 0.01 } });
    await result;
    const checkpoint = findCheckpoint(runDir);
    writeBpeModel(
      join(checkpoint, 'tokenizer.json'),
      trainBpe({ texts: ['other words entirely, '.repeat(9)], vocabSize: 270 }),
    );
    rmSync(join(checkpoint, 'manifest.json'));
    expect(userErrorLine(() => loadLanguageModel(checkpoint))).toContain('its tokenizer is not the one');
  });

  it('refuses text of which nothing is held out', async () => {
    const { result } = run(folderWithText(), { data: { files: ['text.txt'], seqLen: 16 } });
    expect(await rejectedLine(result)).toContain('expected validationFiles or validationShare');
  });

  it('names a text file that is missing, and leaves no run behind', async () => {
    const root = folderWithText();
    const { runDir, result } = run(root, { data: { files: ['none.txt'], seqLen: 16, validationShare: 0.1 } });
    expect(await rejectedLine(result)).toContain('none.txt');
    expect(() => readMetrics(runDir)).toThrow('metrics.jsonl');
  });
});

it('loadLanguageModel says when a path holds no model', () => {
  const path = temporaryFolder();
  expect(userErrorLine(() => loadLanguageModel(path))).toContain(`cannot find a model at ${path}`);
});

it('the tokenizer of a checkpoint is loaded from the checkpoint', () => {
  const root = folderWithText();
  const tokenizer = loadTokenizer({ kind: 'bpe', path: 'bpe.json' }, { baseDir: root });
  expect(tokenizer.vocabSize).toBe(270);
  tokenizer.dispose();
});
