import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { planMerge } from '#fusion';
import {
  ANY_LANGUAGE_KIND,
  Decoding,
  generateText,
  LANGUAGE_KIND,
  LanguageExperiment,
  loadAnyLanguageModel,
  loadLanguageModel,
  trainBpe,
  trainLanguage,
  writeBpeModel,
} from '#language';
import { selectEngine, tf } from '#src/engine';
import { readMetrics } from '#src/tracking';
import { findCheckpoint, type RunOptions, readCheckpoint, readModel, writeCheckpoint } from '#src/training';
import { ANY_VISION_KIND, trainVision, VISION_KIND, VisionExperiment } from '#vision';
import { recordedOutput } from '../support/streams.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { rejectedLine, userErrorLine } from '../support/thrown.js';
import { tinyRecipe } from '../support/tinyJointModel.js';

const TEXT = 'the cat sat on the mat. the dog sat on the log. '.repeat(40);
const STACK = { kind: 'transformer', dModel: 16, numLayers: 1, numHeads: 2, mlpHidden: 40 };
const ROTARY_STACK = { ...STACK, rotaryShare: 0.5 };
const TRAINING = { steps: 40, batchSize: 4, learningRate: 0.03, logEvery: 1, evaluateEvery: 20 };

beforeAll(async () => {
  await selectEngine('wasm');
});

/** A root with a text and its tokenizer. */
function textRoot(): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'text.txt'), TEXT);
  writeBpeModel(join(root, 'bpe.json'), trainBpe({ texts: [TEXT], vocabSize: 270 }));
  return root;
}

const optionsOf = (root: string, name: string) => ({
  runDir: join(root, name),
  root,
  cacheDir: join(root, 'cache'),
  resume: false,
  output: recordedOutput(),
});

/** Trains a language Transformer in `root`. */
async function trainText(
  root: string,
  name: string,
  training: object = {},
  given: Partial<RunOptions> = {},
  keys: { stack?: object; initFrom?: object } = {},
): Promise<string> {
  const experiment = LanguageExperiment.parse({
    kind: 'language',
    name: 'tiny',
    model: { stack: keys.stack ?? ROTARY_STACK },
    ...(keys.initFrom ? { initFrom: keys.initFrom } : {}),
    tokenizer: { kind: 'bpe', path: 'bpe.json' },
    data: { files: ['text.txt'], seqLen: 16, validationShare: 0.1 },
    training: { ...TRAINING, ...training },
  });
  await trainLanguage(experiment, { ...optionsOf(root, name), ...given });
  return join(root, name);
}

/** Trains a vision Transformer on two colours, with masked patches besides. */
async function trainColours(root: string): Promise<string> {
  for (const name of ['red', 'blue']) {
    mkdirSync(join(root, 'images', name), { recursive: true });
    for (let shade = 0; shade < 6; shade++) {
      const background = { r: name === 'red' ? 250 - shade : 0, g: 0, b: name === 'blue' ? 250 - shade : 0 };
      const path = join(root, 'images', name, `${shade}.png`);
      await sharp({ create: { width: 8, height: 8, channels: 3, background } })
        .png()
        .toFile(path);
    }
  }
  const experiment = VisionExperiment.parse({
    kind: 'vision',
    name: 'colours',
    model: { imageSize: 8, patchSize: 4, stack: STACK },
    objectives: [{ kind: 'classify' }, { kind: 'maskedPatches', weight: 0.1, decoderModel: 8, decoderHeads: 2 }],
    data: { train: { kind: 'classFolders', path: 'images', validationShare: 0.2 } },
    training: { ...TRAINING, steps: 20, learningRate: 0.01 },
  });
  await trainVision(experiment, optionsOf(root, 'vision'));
  return join(root, 'vision');
}

describe('a language Transformer', () => {
  it('learns a text in the loop of the TokenFormer, and leaves a model that continues it', async () => {
    const before = tf.memory().numTensors;
    const runDir = await trainText(textRoot(), 'run');
    const metrics = readMetrics(runDir);
    expect(metrics[0].values['validation/perplexity']).toBeGreaterThan(150);
    expect(metrics.at(-1)!.values['validation/perplexity']).toBeLessThan(30);

    const model = loadAnyLanguageModel(runDir);
    expect(model.config.stack).toMatchObject({ kind: 'transformer', mlpHidden: 40 });
    const [continued] = await generateText(model, 'the ', Decoding.parse({ method: 'beam', width: 3, maxTokens: 8 }));
    expect(continued.text.length).toBeGreaterThan(0);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('resumes to the bits of a run that was not interrupted', async () => {
    const root = textRoot();
    const training = { steps: 12, evaluateEvery: 3, checkpointEvery: 3 };
    const whole = await trainText(root, 'whole', training);
    const controller = new AbortController();
    const output = recordedOutput();
    const stopping = {
      ...output,
      line: (text: string) => {
        if (text.includes('step 6')) controller.abort(new Error('enough'));
        output.line(text);
      },
    };
    const stopped = trainText(root, 'stopped', training, { signal: controller.signal, output: stopping });
    await expect(stopped).rejects.toThrow('enough');
    const runDir = await trainText(root, 'stopped', training, { resume: true });
    const bits = (folder: string): unknown => [...readCheckpoint(findCheckpoint(folder)).tensors];
    expect(bits(runDir)).toEqual(bits(whole));
  });

  it('starts from a trained one of the same size, and does not grow by tokens', async () => {
    const root = textRoot();
    const first = await trainText(root, 'first', { steps: 6 });
    const initFrom = { checkpoint: 'first', optimizer: 'keep' };
    const second = await trainText(root, 'second', { steps: 0 }, {}, { initFrom });
    const tensorsOf = (runDir: string): unknown => [...readCheckpoint(findCheckpoint(runDir, 'last')).tensors];
    expect(tensorsOf(second)).toEqual(tensorsOf(first));
    const larger = trainText(root, 'larger', {}, {}, { initFrom, stack: { ...ROTARY_STACK, mlpHidden: 48 } });
    expect(await rejectedLine(larger)).toBe('model.stack.mlpHidden: expected 40, as in the trained model, got 48');
    const tokens = { qkvParamTokens: 16, outputParamTokens: 16, ffnParamTokens: 16 };
    const tokenFormer = { dModel: 16, numLayers: 1, numHeads: 2, ...tokens };
    const other = trainText(root, 'other', {}, {}, { initFrom, stack: tokenFormer });
    expect(await rejectedLine(other)).toContain('model.stack.kind: expected transformer, as in the trained model');
    const stages = [{ afterStep: 2, policy: 'preserve', factor: 2 }];
    expect(await rejectedLine(trainText(root, 'staged', { stages }))).toBe(
      'training.stages[0]: policy: expected net2net, eq13, stack for a standard Transformer, which has no parameter tokens, got preserve',
    );
  });

  it('is read tensor by tensor: one that is missing or of another shape is named', async () => {
    const directory = findCheckpoint(await trainText(textRoot(), 'run', { steps: 1 }));
    expect(readModel(directory, ANY_LANGUAGE_KIND).tensors.size).toBe(9);
    const { model, tensors, assets } = readCheckpoint(directory);
    const damaged = join(temporaryFolder(), 'damaged');
    const { shape, values } = tensors.get('block0/mlp/language/up')!;
    const rest = [...tensors].filter(([name]) => name !== 'block0/mlp/language/up');
    writeCheckpoint(damaged, { model, tensors: new Map(rest), assets });
    expect(userErrorLine(() => readModel(damaged, ANY_LANGUAGE_KIND))).toContain(
      "has no tensor 'block0/mlp/language/up'",
    );
    rmSync(damaged, { recursive: true });
    const turned = new Map([...rest, ['block0/mlp/language/up', { shape: [...shape].reverse(), values }]] as const);
    writeCheckpoint(damaged, { model, tensors: turned, assets });
    expect(userErrorLine(() => readModel(damaged, ANY_LANGUAGE_KIND))).toContain('expected [40,16] by its model.json');
  });
});

it('a vision Transformer learns, and neither it nor a language Transformer can be merged', async () => {
  const root = textRoot();
  const vision = await trainColours(root);
  expect(readMetrics(vision).at(-1)!.values['validation/accuracy']).toBe(1);
  expect([...readModel(findCheckpoint(vision), ANY_VISION_KIND).tensors.keys()]).toContain(
    'block0/mlp/visionDecoder/up',
  );
  const language = await trainText(root, 'language', { steps: 1 });
  const { problems } = planMerge({ ...tinyRecipe(), vision, language }, root);
  expect(problems).toHaveLength(2);
  for (const problem of problems) {
    expect(problem).toMatch(
      /model\.json: 'backbone\.stack': expected the blocks of a TokenFormer, got a standard Transformer, which has no parameter tokens$/,
    );
  }
  for (const read of [
    () => readModel(findCheckpoint(vision), VISION_KIND),
    () => readModel(findCheckpoint(language), LANGUAGE_KIND),
    () => loadLanguageModel(language),
  ])
    expect(userErrorLine(read)).toContain('expected the blocks of a TokenFormer');
});
