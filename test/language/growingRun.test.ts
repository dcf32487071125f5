import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LanguageExperiment, loadLanguageModel, trainBpe, trainLanguage, writeBpeModel } from '#language';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, learningRateAt, readCheckpoint, readTrainingState } from '#src/training';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine } from '../support/thrown.js';

const text = 'the cat sat on the mat. the dog sat on the log. '.repeat(40);

const STAGES = [
  { afterStep: 6, policy: 'preserve', factor: 2, warmupSteps: 2 },
  { afterStep: 10, policy: 'group', tokens: { query: 4, ffn: 8 }, layers: 1, optimizer: 'reset' },
];

beforeAll(async () => {
  await selectEngine('wasm');
});

function folderWithText(): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'text.txt'), text);
  writeBpeModel(join(root, 'bpe.json'), trainBpe({ texts: [text], vocabSize: 270 }));
  return root;
}

interface Given {
  readonly training?: Record<string, unknown>;
  readonly stack?: Record<string, unknown>;
  /** A standard Transformer instead. */
  readonly transformer?: Record<string, unknown>;
  readonly initFrom?: Record<string, unknown>;
}

function experiment({ training, stack, transformer, initFrom }: Given): LanguageExperiment {
  return LanguageExperiment.parse({
    kind: 'language',
    name: 'tiny',
    seed: 2,
    model: {
      stack: transformer ?? {
        ...{ dModel: 16, numLayers: 1, numHeads: 2, rotaryShare: 0.25 },
        ...{ qkvParamTokens: 8, outputParamTokens: 8, ffnParamTokens: 16 },
        ...stack,
      },
    },
    tokenizer: { kind: 'bpe', path: 'bpe.json' },
    data: { files: ['text.txt'], seqLen: 16, validationShare: 0.1 },
    training: {
      ...{ steps: 14, batchSize: 2, learningRate: 0.03, logEvery: 1, evaluateEvery: 4, checkpointEvery: 3 },
      ...training,
    },
    ...(initFrom && { initFrom }),
  });
}

/** Trains in `<root>/<name>`; with `stopAfter`, only as many steps as that, as a signal would. */
async function run(root: string, name: string, given: Given, options: { resume?: boolean; stopAfter?: number } = {}) {
  const runDir = join(root, name);
  const output = recordedOutput();
  const signal = { aborted: false, reason: new Error('stopped') };
  const { resume = false, stopAfter } = options;
  const watched = {
    ...output,
    line: (line = '') => output.line(line),
  };
  const isDue = (): boolean => stopAfter !== undefined && stepOf(runDir) >= stopAfter;
  const done = trainLanguage(experiment(given), {
    ...{ runDir, root, cacheDir: join(root, 'cache'), resume, output: watched },
    signal: {
      get aborted() {
        return signal.aborted || isDue();
      },
      reason: signal.reason,
    },
  });
  if (stopAfter === undefined) return { runDir, output, result: await done };
  await expect(done).rejects.toThrow('stopped');
  return { runDir, output, result: undefined };
}

/** The last step in the log of a run. */
function stepOf(runDir: string): number {
  try {
    return Math.max(0, ...readMetrics(runDir).map(({ step }) => step));
  } catch {
    return 0;
  }
}

function bytesOf(runDir: string): Record<string, string> {
  const last = findCheckpoint(runDir, 'last');
  const files = ['model.json', 'model.safetensors', 'optimizer.safetensors', 'state.json'].map((file) =>
    join(last, file),
  );
  return Object.fromEntries(
    [...files, join(runDir, 'metrics.jsonl')].map((path) => [path.slice(runDir.length), readFileSync(path, 'latin1')]),
  );
}

describe('a run with stages', () => {
  it('grows where they say, keeps its loss there, and leaves a model of the last size', async () => {
    const root = folderWithText();
    const before = tf.memory().numTensors;
    const { runDir, output } = await run(root, 'run', { training: { stages: STAGES } });
    expect(tf.memory().numTensors).toBe(before);

    const growths = readMetrics(runDir).filter(({ values }) => 'growth/parameters' in values);
    expect(growths.map(({ step }) => step)).toEqual([7, 11]);
    for (const { values } of growths) expect(values['growth/after']).toBeCloseTo(values['growth/before'], 5);
    expect(output.lines.join('\n')).toMatch(
      /step 6: grown from 5,888 to 7,424 parameters \(preserve\); validation loss/,
    );
    const rates = readMetrics(runDir).flatMap(({ values }) => values['train/learningRate'] ?? []);
    const { training } = experiment({ training: { stages: STAGES } });
    for (const step of [6, 7, 8, 11]) expect(rates[step - 1]).toBe(Math.fround(learningRateAt(step, training)));

    const model = loadLanguageModel(findCheckpoint(runDir, 'last'));
    expect(model.config.stack).toMatchObject({
      numLayers: 2,
      qkvParamTokens: 16,
      outputParamTokens: 16,
      ffnParamTokens: 32,
    });
    expect(model.config.stack.appendedGroups).toEqual([
      { name: 'grown1', query: 4, key: 0, value: 0, output: 0, ffn: 8 },
    ]);
    model.dispose();
    expect(readTrainingState(findCheckpoint(runDir, 'last')).state).toMatchObject({ step: 14, optimizerStep: 4 });
  });

  it('is resumed bit for bit before, at and after each growth', { timeout: 60_000 }, async () => {
    const root = folderWithText();
    const given = { training: { stages: STAGES } };
    const unbroken = bytesOf((await run(root, 'unbroken', given)).runDir);
    for (const stopAfter of [5, 6, 7, 10, 11, 13]) {
      const name = `stopped-${stopAfter}`;
      await run(root, name, given, { stopAfter });
      const { runDir } = await run(root, name, given, { resume: true });
      expect(bytesOf(runDir), name).toEqual(unbroken);
    }
  });

  it('stopped in the evaluation after a growth goes on from the smaller model', async () => {
    const root = folderWithText();
    const given = { training: { stages: STAGES, evaluateEvery: 100, checkpointEvery: 100 } };
    const unbroken = bytesOf((await run(root, 'unbroken', given)).runDir);
    const runDir = join(root, 'stopped');
    let asked = 0;
    const stopped = trainLanguage(experiment(given), {
      ...{ runDir, root, cacheDir: join(root, 'cache'), resume: false, output: recordedOutput() },
      signal: {
        get aborted() {
          // The checkpoint before the growth is the first one; the second question after it comes from the evaluation after it.
          return existsSync(join(runDir, 'checkpoints', 'last.json')) && ++asked > 1;
        },
        reason: new Error('stopped'),
      },
    });
    await expect(stopped).rejects.toThrow('stopped');
    expect(readTrainingState(findCheckpoint(runDir, 'last')).state.step).toBe(6);
    await run(root, 'stopped', given, { resume: true });
    expect(bytesOf(runDir)).toEqual(unbroken);
  });

  it('refuses zero keys for a Θ that gives a score of 0 a weight, before any step', async () => {
    const root = folderWithText();
    const given = { stack: { normActivation: 'softmax' }, training: { stages: [STAGES[0]] } };
    const refused = trainLanguage(experiment(given), {
      ...{ runDir: join(root, 'run'), root, cacheDir: join(root, 'cache'), resume: false, output: recordedOutput() },
    });
    expect(await rejectedLine(refused)).toContain('training.stages[0]: policy: preserve');
  });
});

describe('a run of a standard Transformer with stages', () => {
  const given = {
    transformer: { kind: 'transformer', dModel: 16, numLayers: 1, numHeads: 2, mlpHidden: 24, rotaryShare: 0.25 },
    training: {
      stages: [
        { afterStep: 5, policy: 'net2net', factor: 2 },
        { afterStep: 9, policy: 'stack', factor: 2, optimizer: 'reset' },
      ],
    },
  };

  it('keeps its loss where copies keep the function, and its moments', async () => {
    const { runDir } = await run(folderWithText(), 'run', given);
    const growths = readMetrics(runDir).filter(({ values }) => 'growth/parameters' in values);
    expect(growths.map(({ step }) => step)).toEqual([6, 10]);
    const [copied] = growths.map(({ values }) => values);
    expect(copied['growth/after']).toBeCloseTo(copied['growth/before'], 5);
    expect(readCheckpoint(findCheckpoint(runDir, 'last')).model.config).toMatchObject({
      backbone: { stack: { dModel: 32, numLayers: 2, numHeads: 4, mlpHidden: 48 } },
    });
  });

  it('is resumed bit for bit before, at and after each growth', { timeout: 60_000 }, async () => {
    const root = folderWithText();
    const unbroken = bytesOf((await run(root, 'unbroken', given)).runDir);
    for (const stopAfter of [4, 5, 6, 9, 10]) {
      const name = `stopped-${stopAfter}`;
      await run(root, name, given, { stopAfter });
      expect(bytesOf((await run(root, name, given, { resume: true })).runDir), name).toEqual(unbroken);
    }
  });

  it('has no learning rate of old and new tokens', async () => {
    const training = { ...given.training, learningRates: [{ tokens: 'old', factor: 0.5 }] };
    const root = folderWithText();
    const refused = trainLanguage(experiment({ ...given, training }), {
      ...{ runDir: join(root, 'run'), root, cacheDir: join(root, 'cache'), resume: false, output: recordedOutput() },
    });
    expect(await rejectedLine(refused)).toContain('a standard Transformer does not have');
  });
});

describe('what training costs', () => {
  /** Tokens and operations at each evaluation. */
  const costs = (runDir: string) =>
    readMetrics(runDir)
      .filter(({ values }) => 'train/flops' in values)
      .map(({ step, values }) => [step, values['train/tokens'], values['train/flops']]);

  it('is counted at each evaluation, for every size that the model has had', async () => {
    const { runDir } = await run(folderWithText(), 'run', {
      training: { steps: 8, stages: [{ afterStep: 4, factor: 2 }] },
    });
    const { stack } = experiment({}).model;
    const perStep = (factor: number): number => {
      // 2 sequences of 16 tokens; 3 passes of 2 operations; 5 layers of 8, 8, 8, 8 and 16 tokens; attention; 270 outputs.
      const multiplyAdds =
        16 * 2 * stack.dModel * 48 * factor + 2 * stack.dModel * ((16 * 17) / 2) + 16 * stack.dModel * 270;
      return 3 * 2 * 2 * multiplyAdds;
    };
    expect(costs(runDir)).toEqual([
      [0, 0, 0],
      [4, 128, Math.fround(4 * perStep(1))],
      [8, 256, Math.fround(4 * perStep(1) + 4 * perStep(2))],
    ]);
  });

  it('goes on from that of the model it starts from', async () => {
    const root = folderWithText();
    const small = await run(root, 'small', { training: { steps: 4 } });
    const [, [, tokens, flops]] = costs(small.runDir);
    const initFrom = { checkpoint: 'small', select: 'last' };
    const { runDir } = await run(root, 'on', { initFrom, training: { steps: 4 } });
    expect(costs(runDir)).toEqual([
      [0, tokens, flops],
      [4, 2 * tokens, 2 * flops],
    ]);
  });
});

describe('initFrom', () => {
  it('starts from the trained model, whatever the seed, and keeps its function at a larger size', async () => {
    const root = folderWithText();
    const small = await run(root, 'small', {});
    const lossAtStart = (runDir: string): number => readMetrics(runDir)[0].values['validation/loss'];
    const last = readMetrics(small.runDir).findLast(({ values }) => 'validation/loss' in values)!.values[
      'validation/loss'
    ];
    const initFrom = { checkpoint: 'small', select: 'last' };
    const same = await run(root, 'same', { initFrom });
    expect(lossAtStart(same.runDir)).toBe(last);
    const larger = await run(root, 'larger', { initFrom, stack: { ffnParamTokens: 40, numLayers: 2 } });
    expect(lossAtStart(larger.runDir)).toBeCloseTo(last, 5);
    const official = await run(root, 'official', {
      ...{ initFrom: { ...initFrom, policy: 'official' }, stack: { ffnParamTokens: 160 } },
    });
    expect(Math.abs(lossAtStart(official.runDir) - last)).toBeGreaterThan(1e-3);
  });

  it('trains only what it does not freeze, or only the new tokens of a group', async () => {
    const root = folderWithText();
    const small = readCheckpoint(findCheckpoint((await run(root, 'small', {})).runDir, 'last'));
    const initFrom = { checkpoint: 'small', select: 'last', freeze: ['language/'] };
    const appended = { appendedGroups: [{ name: 'new', ffn: 8 }] };
    const { runDir } = await run(root, 'frozen', { initFrom, stack: appended });
    const tuned = readCheckpoint(findCheckpoint(runDir, 'last'));
    for (const [name, { values }] of small.tensors) expect(tuned.tensors.get(name)!.values, name).toEqual(values);
    expect(tuned.tensors.get('block0/ffn/language.new/valueParamTokens')!.values.some((v) => v !== 0)).toBe(true);

    const rows = { learningRates: [{ tokens: 'old', factor: 0 }] };
    const onlyNew = {
      initFrom: { checkpoint: 'small', select: 'last' },
      stack: { ffnParamTokens: 24 },
      training: rows,
    };
    const grown = readCheckpoint(findCheckpoint((await run(root, 'new rows', onlyNew)).runDir, 'last'));
    for (const [name, { values }] of small.tensors) {
      expect(grown.tensors.get(name)!.values.slice(0, values.length), name).toEqual(values);
    }
    const keys = grown.tensors.get('block0/ffn/language/keyParamTokens')!.values;
    expect(keys.slice(16 * 16).every((value) => value !== 0)).toBe(true);
  });

  it('keeps the moments of the optimizer, padded, and counts its steps on', async () => {
    const root = folderWithText();
    await run(root, 'small', {});
    const initFrom = { checkpoint: 'small', select: 'last', optimizer: 'keep' };
    const training = { steps: 2, checkpointEvery: 1 };
    const { runDir } = await run(root, 'kept', { initFrom, training, stack: { ffnParamTokens: 24 } });
    expect(readTrainingState(findCheckpoint(runDir, 'last')).state).toMatchObject({ step: 2, optimizerStep: 16 });
    const fresh = await run(root, 'reset', {
      ...{ initFrom: { ...initFrom, optimizer: 'reset' }, training, stack: { ffnParamTokens: 24 } },
    });
    const moments = (dir: string) => readTrainingState(findCheckpoint(dir, 'last')).optimizer;
    const name = 'block0/attention/query/language/keyParamTokens/adamV';
    const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b);
    expect(sum(moments(runDir).get(name)!.values)).toBeGreaterThan(sum(moments(fresh.runDir).get(name)!.values));
  });

  it('refuses another tokenizer, another width and a word that names nothing', async () => {
    const root = folderWithText();
    await run(root, 'small', {});
    const refused = (given: Given): Promise<string> =>
      rejectedLine(
        trainLanguage(
          experiment({
            initFrom: { checkpoint: 'small', ...given.initFrom },
            ...(given.stack && { stack: given.stack }),
          }),
          {
            ...{
              runDir: join(root, 'no'),
              root,
              cacheDir: join(root, 'cache'),
              resume: false,
              output: recordedOutput(),
            },
          },
        ),
      );
    expect(await refused({ stack: { dModel: 32 } })).toContain('model.stack.dModel: expected 16');
    expect(await refused({ initFrom: { freeze: ['langage/'] } })).toContain("got 'langage/'");
    expect(await refused({ initFrom: { freeze: ['language'] } })).toContain('expected something left to train');
    writeBpeModel(join(root, 'bpe.json'), trainBpe({ texts: ['other words entirely, '.repeat(9)], vocabSize: 270 }));
    expect(await refused({})).toContain('fingerprints differ');
  });
});
