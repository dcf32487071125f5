import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  align,
  ConfigError,
  createLanguageModel,
  createVisionModel,
  evaluate,
  loadLanguageModel,
  loadModel,
  loadVisionModel,
  merge,
  pattention,
  planMerge,
  type StackConfig,
  selectEngine,
  trainTokenizer,
  UserError,
  unmerge,
} from 'tokenfuse';
import { beforeAll, describe, expect, it } from 'vitest';
import { captionImageFiles, loadJointModel } from '#fusion';
import { tf } from '#src/engine';
import { readCheckpoint, writeCheckpoint } from '#src/training';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { writeTinyBackbones } from '../support/tinyBackbones.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { mergeTiny, stirFusion } from '../support/tinyJointModel.js';

const STACK: StackConfig = {
  dModel: 8,
  numLayers: 2,
  numHeads: 2,
  qkvParamTokens: 6,
  outputParamTokens: 5,
  ffnParamTokens: 10,
};

beforeAll(() => selectEngine('wasm'));

/** Two new backbones, saved as `vision` and `language` in a folder that also has images and captions. */
async function savedBackbones(): Promise<string> {
  const folder = temporaryFolder();
  await writeTinyCaptions(folder);
  const path = join(folder, 'tokenizer.json');
  trainTokenizer({ texts: COLOUR_NAMES.map((name) => `a ${name} square a ${name} square`), vocabSize: 280 }, path);
  using language = await createLanguageModel({ stack: STACK, seqLen: 32, tokenizer: { kind: 'bpe', path } });
  using vision = await createVisionModel({ stack: STACK, imageSize: 16, patchSize: 8 });
  await language.save(join(folder, 'language'));
  await vision.save(join(folder, 'vision'));
  return folder;
}

describe('a language model', () => {
  it('gives the logits that its loss and its likelihoods are made of', async () => {
    const folder = await savedBackbones();
    using model = await loadLanguageModel(join(folder, 'language'));
    const end = model.vocabSize - 1;
    const ids = [end, ...model.encode('a red square')];
    const { shape, values } = await model.logits([ids]);
    expect(shape).toEqual([1, ids.length, model.vocabSize]);
    const losses = [...ids.slice(1), end].map((next, t) => {
      const row = values.subarray(t * model.vocabSize, (t + 1) * model.vocabSize);
      return Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[next];
    });
    expect(await model.loss(['a red square'])).toBeCloseTo(losses.reduce((a, b) => a + b) / losses.length, 5);
    const [greedy] = await model.generate('a red', { maxTokens: 4 });
    const best = await model.generate('a red', { method: 'beam', width: 3, nBest: 2, maxTokens: 4 });
    expect(best).toHaveLength(2);
    expect(best[0].logProb).toBeGreaterThanOrEqual(greedy.logProb - 1e-5);
  });

  it('is drawn by its seed and keeps its parameters when saved', async () => {
    const folder = await savedBackbones();
    const tokenizer = { kind: 'bpe', path: join(folder, 'tokenizer.json') } as const;
    using saved = await loadLanguageModel(join(folder, 'language'));
    using same = await createLanguageModel({ stack: STACK, seqLen: 32, tokenizer });
    using other = await createLanguageModel({ stack: STACK, seqLen: 32, tokenizer, seed: 1 });
    const [a, b, c] = await Promise.all([saved, same, other].map((model) => model.logits([[1, 2, 3]])));
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
    expect(saved.numParameters).toBe(same.numParameters);
  });

  it('refuses what it cannot read, in one line', async () => {
    const folder = await savedBackbones();
    using model = await loadLanguageModel(join(folder, 'language'));
    await expect(model.logits([[1, 2], [3]])).rejects.toThrow('tokenIds: expected rows of equal length, got 2 and 1');
    await expect(model.logits([[-1]])).rejects.toThrow(`tokenIds: expected ids in [0, ${model.vocabSize}), got -1`);
    await expect(model.loss(['red '.repeat(60)])).rejects.toThrow('expected at most 32 tokens (seqLen)');
    await expect(model.generate('a', { method: 'greedy', width: 3 })).rejects.toBeInstanceOf(ConfigError);
    await expect(model.save(join(folder, 'language'))).rejects.toThrow('expected a new or empty place, got a model');
    await expect(loadLanguageModel(join(folder, 'vision'))).rejects.toThrow('expected a language model, got a vision');
  });
});

describe('a vision model', () => {
  it('encodes files and bytes alike, and pools by the mean over tokens', async () => {
    const folder = await savedBackbones();
    using model = await loadVisionModel(join(folder, 'vision'));
    const path = join(folder, 'images', 'red.png');
    const { shape, values } = await model.encode([path, readFileSync(path)]);
    expect(shape).toEqual([2, model.numImageTokens, 8]);
    expect(values.subarray(values.length / 2)).toEqual(values.subarray(0, values.length / 2));
    const pooled = await model.embed([path]);
    expect(pooled.shape).toEqual([1, 8]);
    for (let d = 0; d < 8; d++) {
      const column = [0, 1, 2, 3].map((token) => values[token * 8 + d]);
      expect(pooled.values[d]).toBeCloseTo(column.reduce((a, b) => a + b) / 4, 5);
    }
  });

  it('has the loss of its objective', async () => {
    const folder = await savedBackbones();
    const images = ['red', 'blue'].map((name) => join(folder, 'images', `${name}.png`));
    const shape = { stack: STACK, imageSize: 16, patchSize: 8 };
    using masked = await loadVisionModel(join(folder, 'vision'));
    expect(await masked.loss(images)).toBeGreaterThan(0);
    using classifier = await createVisionModel({ ...shape, classNames: ['red', 'blue', 'green'] });
    // At the start all classes are about as likely.
    expect(Math.abs((await classifier.loss(images, [0, 1])) - Math.log(3))).toBeLessThan(0.5);
    await expect(classifier.loss(images, [0, 3])).rejects.toThrow('expected a class in [0, 3) for each of 2 images');
    await expect(classifier.loss(images)).rejects.toBeInstanceOf(UserError);
  });

  it('names an image that it cannot read', async () => {
    const folder = await savedBackbones();
    using model = await loadVisionModel(join(folder, 'vision'));
    await expect(model.encode([join(folder, 'none.png')])).rejects.toThrow('none.png: no such file');
    await expect(model.encode([Uint8Array.of(1, 2, 3)])).rejects.toThrow('cannot decode image 0 (bytes)');
    await expect(model.encode([])).rejects.toThrow('images: expected at least one, got none');
  });
});

describe('a merged model', () => {
  it('is planned, merged, aligned, loaded, evaluated, and taken apart again', async () => {
    const folder = await savedBackbones();
    const recipe = { vision: join(folder, 'vision'), language: join(folder, 'language') };
    const fusion = { bridge: { tokens: 4 } };
    const plan = planMerge({ ...recipe, fusion });
    expect(plan.description.join('\n')).toContain('method      routed');
    expect(plan.groups.filter(({ origin }) => origin === 'bridge')).toHaveLength(12);
    const merged = join(folder, 'merged');
    expect(merge({ ...recipe, fusion }, merged).kept).toBe(true);

    const captions = join(folder, 'captions.json');
    const lines: string[] = [];
    const data = { captions, images: join(folder, 'images') };
    const result = await align(
      {
        model: merged,
        data: { train: data, validation: data },
        training: { steps: 2, batchSize: 4, learningRate: 1e-3, evaluateEvery: 2 },
      },
      { out: join(folder, 'aligned'), cacheDir: join(folder, 'cache'), log: (line) => lines.push(line) },
    );
    expect(result.steps).toBe(2);
    expect(lines.join('\n')).toContain('16 pairs of 8 images');

    using model = await loadModel(join(folder, 'aligned'));
    expect(model.method).toBe('routed');
    const images = ['red', 'blue'].map((name) => join(folder, 'images', `${name}.png`));
    expect((await model.encode(images)).shape).toEqual([2, 1, 4, 8]);
    const candidates = await model.candidates(images, { maxTokens: 6 });
    expect(await model.caption(images, { maxTokens: 6 })).toEqual(candidates.map(([{ caption }]) => caption));

    const { sets } = await evaluate(
      {
        model: join(folder, 'aligned'),
        sets: [{ name: 'test', ...data }],
        decoding: { method: 'greedy', maxTokens: 4 },
        bootstrapSamples: 10,
        report: { examples: 0 },
      },
      { out: join(folder, 'evaluation'), cacheDir: join(folder, 'cache') },
    );
    expect(sets[0].rows[0]).toMatchObject({ name: 'model', ciderD: expect.any(Number) });

    unmerge(merged, { vision: join(folder, 'v'), language: join(folder, 'l') });
    const file = 'model.safetensors';
    expect(readFileSync(join(folder, 'v', file)).equals(readFileSync(join(folder, 'vision', file)))).toBe(true);
    expect(readFileSync(join(folder, 'l', file)).equals(readFileSync(join(folder, 'language', file)))).toBe(true);
  });

  it('captions as the command does, and weighs each caption by its own image', async () => {
    const folder = temporaryFolder();
    await writeTinyCaptions(folder);
    writeTinyBackbones(folder);
    const merged = mergeTiny(folder);
    const path = join(folder, 'stirred');
    const joint = loadJointModel(merged);
    stirFusion(joint);
    const { model: description, assets } = readCheckpoint(merged);
    writeCheckpoint(path, { model: description, tensors: await joint.tree.toHost(), assets });
    const files = COLOUR_NAMES.map((name, i) => ({
      id: i,
      fileName: `${name}.png`,
      path: join(folder, 'images', `${name}.png`),
    }));
    const decoding = { method: 'beam', width: 3, maxTokens: 8 } as const;
    const full = { ...decoding, lengthPenalty: 0, nBest: 1, minTokens: 0, repetitionPenalty: 1, stopTokens: [] };
    const expected = [];
    for await (const batch of captionImageFiles(joint, files, { decoding: full, batchSize: 32 }))
      expected.push(...batch);
    joint.dispose();

    using model = await loadModel(path);
    const images = files.map((file) => file.path);
    const candidates = await model.candidates(images, decoding);
    expect(candidates).toEqual(expected.map((file) => file.candidates));
    const [red, blue] = images;
    const together = await model.logProbs([red, blue, blue], ['a red square', 'a blue square', 'a red square']);
    const [alone] = await model.logProbs([blue], ['a red square']);
    expect(together[2]).toBeCloseTo(alone, 4);
    expect(Math.abs(together[0] - together[2])).toBeGreaterThan(1e-3);
    await expect(model.logProbs([red], [])).rejects.toThrow('captions: expected one for each of 1 images, got 0');
  });

  it('refuses what cannot be merged with every problem at once, and a backbone where a merged model is wanted', async () => {
    const folder = await savedBackbones();
    const recipe = { vision: join(folder, 'language'), language: join(folder, 'nowhere') };
    expect(() => planMerge(recipe)).toThrow(
      /holds a language model; expected a vision model\n.*cannot find a model at/s,
    );
    await expect(loadModel(join(folder, 'vision'))).rejects.toThrow('expected a merged model, got a vision model');
    expect(existsSync(join(folder, 'merged'))).toBe(false);
  });
});

describe('dispose', () => {
  it('frees all that a model has on the engine, once', async () => {
    const folder = await savedBackbones();
    const before = tf.memory().numTensors;
    const model = await loadVisionModel(join(folder, 'vision'));
    await model.embed([join(folder, 'images', 'red.png')]);
    expect(tf.memory().numTensors).toBeGreaterThan(before);
    model.dispose();
    model[Symbol.dispose]();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('pattention', () => {
  it('is Θ(X Kᵀ) V', async () => {
    const matrix = (shape: number[], ...values: number[]) => ({ shape, values: Float32Array.from(values) });
    const group = { keyParamTokens: matrix([2, 2], 3, 0, 0, 4), valueParamTokens: matrix([2, 1], 1, 10) };
    const { shape, values } = await pattention(matrix([1, 2], 1, 1), { ...group, normEpsilon: 0 });
    // A = [3, 4], ‖A‖ = 5, τ = √2; GELU(0.6 √2) = 0.68046, GELU(0.8 √2) = 0.98548 (x Φ(x)).
    expect(shape).toEqual([1, 1]);
    expect(values[0]).toBeCloseTo(0.68046 + 9.8548, 3);
    await expect(pattention(matrix([1, 2], 1, 1), { ...group, normActivation: 'relu' })).rejects.toThrow(ConfigError);
  });
});
