import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Inspection, type InspectOptions, inspectModel } from '#evaluation/inspection';
import { type FusionInput, loadJointModel } from '#fusion';
import { languageBlocks, languageHidden, loadLanguageModel, textBatch } from '#language';
import { tf } from '#src/engine';
import { createUsageMeter, readGroup } from '#src/tokenformer';
import { readCheckpoint, writeCheckpoint } from '#src/training';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { type TinyBackboneOptions, writeTinyBackbones } from '../../support/tinyBackbones.js';
import { writeTinyCaptions } from '../../support/tinyCaptions.js';
import { mergeTiny, stirFusion } from '../../support/tinyJointModel.js';

const APPENDED = { appendedGroups: [{ name: 'task', query: 3, key: 0, value: 0, output: 0, ffn: 2 }] };

/** Backbones, captions with images and a text file. */
async function prepared(options: TinyBackboneOptions = {}): Promise<string> {
  const folder = temporaryFolder();
  writeTinyBackbones(folder, options);
  await writeTinyCaptions(folder, ['red', 'green', 'blue', 'black']);
  writeFileSync(join(folder, 'text.jsonl'), TEXTS.map((text) => `${JSON.stringify({ text })}\n`).join(''));
  return folder;
}

const TEXTS = ['a red square', 'the square is green', 'a blue square, a red square'];

function optionsIn(folder: string, given: Partial<InspectOptions> = {}): InspectOptions {
  return {
    ...{ images: [], texts: [], limit: 100, contexts: 3, deadShare: 0.1, withData: true },
    ...{ cacheDir: join(folder, 'cache'), note: () => undefined },
    ...given,
  };
}

const inspected = (path: string, options: InspectOptions): Promise<Inspection> =>
  inspectModel(path, options, async (inspection) => inspection);

const withText = (folder: string) => optionsIn(folder, { texts: [join(folder, 'text.jsonl')] });
const withImages = (folder: string) => optionsIn(folder, { images: [join(folder, 'images')] });
const withPairs = (folder: string) => optionsIn(folder, { captions: join(folder, 'captions.json') });

/** A merged model whose bridges and gates have random values, as after an alignment, as a checkpoint. */
function mergeStirred(folder: string, fusion: FusionInput): string {
  const path = mergeTiny(folder, fusion, 'fresh');
  const model = loadJointModel(path);
  stirFusion(model);
  const { model: description, assets } = readCheckpoint(path);
  const tensors = readCheckpoint(path).tensors;
  const stirred = new Map(tensors);
  for (const name of model.tree.names()) {
    const variable = model.tree.variable(name);
    stirred.set(name, { shape: variable.shape, values: Float32Array.from(variable.dataSync()) });
  }
  model.dispose();
  writeCheckpoint(join(folder, 'stirred'), { model: description, tensors: stirred, assets });
  return join(folder, 'stirred');
}

describeEachEngine('an inspection', () => {
  it('has the means of the usage meter, of every group of a language model', async () => {
    const folder = await prepared({ language: APPENDED });
    const { groups } = await inspected(join(folder, 'language'), withText(folder));
    const { tree, config, tokenizer, dispose } = loadLanguageModel(join(folder, 'language'));
    const blocks = languageBlocks(tree, config);
    const meter = createUsageMeter(blocks, config.stack);
    for (const text of TEXTS) {
      const end = tokenizer.endOfTextId;
      const row = Int32Array.of(end, ...tokenizer.encode(text), end);
      const { tokenIds, seqLen } = textBatch([row], row.length - 1, end);
      await meter.observe((capture) =>
        languageHidden(tree, config, tf.tensor2d(tokenIds, [1, seqLen], 'int32'), { capture }),
      );
    }
    const usage = meter.usage();
    expect(groups.map(({ block, layer, group }) => [block, layer, group])).toEqual(
      usage.map(({ block, layer, group }) => [block, layer, group]),
    );
    expect(groups.map(({ group }) => group)).toContain('language.task');
    for (const [g, { uses, numParamTokens }] of groups.entries()) {
      expect(uses).toHaveLength(1);
      for (let i = 0; i < numParamTokens; i++) {
        // Six significant digits are kept; float32 sums of other batches differ in the seventh.
        expect(uses[0].use[i] / usage[g].use[i]).toBeCloseTo(1, 4);
        expect(uses[0].weight[i] / usage[g].weight[i]).toBeCloseTo(1, 4);
        expect(uses[0].squaredScore[i] / usage[g].squaredScore[i]).toBeCloseTo(1, 4);
      }
    }
    dispose();
  });

  it('names the token of a text that uses a parameter token most', async () => {
    const folder = await prepared();
    const { groups, texts } = await inspected(join(folder, 'language'), withText(folder));
    const { tree, config, tokenizer, dispose } = loadLanguageModel(join(folder, 'language'));
    const { uses } = groups.find(({ path }) => path === 'block1/ffn/language')!;
    const lengths = rowLengths(readGroup(tree, 'block1/ffn', 'language').valueParamTokens);
    const seen = TEXTS.map((text) => {
      const ids = Int32Array.of(tokenizer.endOfTextId, ...tokenizer.encode(text));
      let weights: number[][] = [];
      languageHidden(tree, config, tf.tensor2d(ids, [1, ids.length], 'int32'), {
        capture: (name, compute) => {
          if (name === 'block1/ffn/language/weights') weights = compute().arraySync() as number[][];
        },
      });
      return weights;
    });
    for (const [token, [[item, position, use]]] of uses[0].contexts.entries()) {
      const all = seen.flatMap((rows, text) =>
        rows.map((row, t) => ({ text, t, use: Math.abs(row[token]) * lengths[token] })),
      );
      const most = Math.max(...all.map((row) => row.use));
      expect(use / most).toBeCloseTo(1, 4);
      expect(all.find(({ text, t }) => text === item && t === position)!.use / most).toBeCloseTo(1, 4);
      expect(uses[0].largest[token] / most).toBeCloseTo(1, 4);
    }
    expect(texts.map(({ tokens }) => tokens.slice(1).join(''))).toEqual(TEXTS);
    dispose();
  });

  for (const pooling of ['mean', 'classToken'] as const) {
    it(`finds the image and the patch that use a parameter token most, pooling ${pooling}`, async () => {
      const folder = await prepared({ pooling });
      const { groups, images, model } = await inspected(join(folder, 'vision'), withImages(folder));
      expect(model.patchGrid).toBe(2);
      expect(images.map(({ name }) => name.split('/').at(-1))).toEqual([
        'black.png',
        'blue.png',
        'green.png',
        'red.png',
      ]);
      const positions = new Set(groups.flatMap(({ uses }) => uses[0].contexts.flat().map(([, patch]) => patch)));
      expect(Math.min(...positions)).toBe(pooling === 'classToken' ? -1 : 0);
      expect(Math.max(...positions)).toBeLessThan(4);
      for (const { uses } of groups) {
        expect(uses[0].rows).toBe(4 * (pooling === 'classToken' ? 5 : 4));
        for (const [token, contexts] of uses[0].contexts.entries()) {
          if (uses[0].largest[token] > 0) expect(contexts[0][2]).toBe(uses[0].largest[token]);
        }
      }
    });
  }

  for (const { method, ...keys } of [
    { method: 'routed' },
    { method: 'routed', imageGate: 'closed' },
    { method: 'grouped' },
    { method: 'union' },
    { method: 'crossAttention' },
    { method: 'prefix' },
  ] as const) {
    it(`covers every group of a merged model, method ${method} ${Object.values(keys)}`, async () => {
      const folder = await prepared({ language: APPENDED });
      const path = mergeStirred(folder, { method, ...keys } as FusionInput);
      const { groups, bridges, data } = await inspected(path, withPairs(folder));
      expect(data).toMatchObject({ images: { count: 4 }, texts: { count: 8 } });
      for (const { uses, path: name } of groups) expect([name, uses.length > 0]).toEqual([name, true]);
      const streams = (group: string) =>
        new Set(
          groups.filter((other) => other.group === group).flatMap(({ uses }) => uses.map(({ stream }) => stream)),
        );
      expect(streams('vision').has('image')).toBe(true);
      expect(streams('language.task').has('text')).toBe(true);
      // Shares of the groups whose outputs add are one whole.
      const layers = new Map<string, number>();
      for (const { block, layer, group, uses } of groups) {
        for (const { stream, shareOfLayer } of uses) {
          const separate = group === 'crossAttention' ? group : '';
          const key = `${stream} ${block} ${layer} ${separate}`;
          layers.set(key, (layers.get(key) ?? 0) + shareOfLayer);
        }
      }
      for (const [key, share] of layers) expect([key, share]).toEqual([key, expect.closeTo(1, 4)]);
      expect(bridges!.length).toBeGreaterThan(0);
      for (const { tokens } of bridges!) {
        const uses = tokens.map(({ use }) => use);
        expect(uses).toEqual([...uses].sort((a, b) => b - a));
        expect(uses.length).toBeGreaterThan(0);
      }
      const reached = bridges!.filter(({ stream }) => stream === 'reading').flatMap(({ tokens }) => tokens);
      const isJoint = method === 'routed' || method === 'grouped' || method === 'union';
      for (const { words } of reached) expect(words.length > 0).toBe(isJoint);
    });
  }

  it('says what a bridge brings to a word: its uses of the patches by the attention to them', async () => {
    const folder = await prepared();
    const path = mergeStirred(folder, {});
    const { bridges, texts } = await inspected(path, withPairs(folder));
    const flow = bridges!.find((other) => other.path === 'block0/attention/key/imageBridge')!;
    const [[text, position, use, patch]] = flow.tokens[0].words;
    expect(position).toBeGreaterThan(0);
    expect(patch).toBeGreaterThanOrEqual(0);
    expect(texts.find(({ index }) => index === text)!.image).not.toBeNull();
    // A word's attention to all patches is at most 1, so that it gets no more than the largest use.
    const { groups } = await inspected(path, withPairs(folder));
    const [reading] = groups.find((group) => group.path === flow.path)!.uses;
    expect(use).toBeGreaterThan(0);
    expect(use).toBeLessThanOrEqual(reading.largest[flow.tokens[0].token]);
  });

  it('counts what reads positions once, of every image, however many there are', async () => {
    const folder = await prepared();
    const path = mergeStirred(folder, { positionValues: true });
    for (const limit of [1, 4]) {
      const { groups } = await inspected(path, { ...withImages(folder), limit });
      const [use] = groups.find((group) => group.path === 'block0/attention/value/imageBridge')!.uses;
      expect([use.stream, use.rows]).toEqual(['reading', 4]);
      expect(new Set(use.contexts.flat().map(([item]) => item))).toEqual(new Set([-1]));
      const [key] = groups.find((group) => group.path === 'block0/attention/key/imageBridge')!.uses;
      expect([key.stream, key.rows]).toEqual(['reading', 4 * limit]);
    }
  });

  it('calls a group dead that writes nothing', async () => {
    const folder = await prepared();
    const { groups } = await inspected(mergeTiny(folder), withPairs(folder));
    for (const { group, uses, numParamTokens } of groups.filter(({ group }) => group.endsWith('Bridge'))) {
      for (const { dead, shareOfLayer, effective, contexts } of uses) {
        expect([group, dead.length, shareOfLayer, effective]).toEqual([group, numParamTokens, 0, 0]);
        expect(contexts.flat()).toEqual([]);
      }
    }
  });
});

describe('an inspection', () => {
  it('changes no file of the model, and gives the same twice', async () => {
    const folder = await prepared();
    const path = mergeStirred(folder, {});
    const hashes = (): string[] =>
      readdirSync(path).map((name) =>
        createHash('sha256')
          .update(readFileSync(join(path, name)))
          .digest('hex'),
      );
    const before = hashes();
    const first = await inspected(path, withPairs(folder));
    expect(await inspected(path, withPairs(folder))).toEqual(first);
    expect(hashes()).toEqual(before);
  });

  it('shows the parameters of a model without data', async () => {
    const folder = await prepared();
    const found = await inspected(mergeTiny(folder), optionsIn(folder));
    expect([found.data, found.bridges, found.images, found.texts]).toEqual([null, null, [], []]);
    expect(found.groups).toHaveLength(2 * (5 * 2 + 6));
    for (const { uses, keyNorms, numParamTokens } of found.groups) {
      expect([uses.length, keyNorms.length]).toEqual([0, numParamTokens]);
    }
    expect(found.similarity!.layers).toHaveLength(2 * 5);
  });

  it('runs the part of a merged model that data is given for', async () => {
    const folder = await prepared();
    const merged = mergeTiny(folder);
    const used = ({ groups }: Inspection) => new Set(groups.flatMap(({ uses }) => uses.map(({ stream }) => stream)));
    expect(used(await inspected(merged, withText(folder)))).toEqual(new Set(['text']));
    expect(used(await inspected(merged, withImages(folder)))).toEqual(new Set(['image', 'reading']));
  });

  it('reads at most the limit, evenly spaced', async () => {
    const folder = await prepared();
    const two = await inspected(join(folder, 'vision'), { ...withImages(folder), limit: 2 });
    expect(two.images.map(({ name }) => name.split('/').at(-1))).toEqual(['black.png', 'green.png']);
    const one = await inspected(join(folder, 'language'), { ...withText(folder), limit: 1 });
    expect(one.data!.texts!.count).toBe(1);
  });

  it('refuses data that the model does not read', async () => {
    const folder = await prepared();
    await expect(inspected(join(folder, 'vision'), withText(folder))).rejects.toThrow(
      '--text: has no effect on a vision model, which reads no text',
    );
    await expect(inspected(join(folder, 'language'), withImages(folder))).rejects.toThrow(
      '--images: has no effect on a language model, which reads no images',
    );
    await expect(inspected(join(folder, 'language'), withPairs(folder))).rejects.toThrow(
      '--captions: expected a merged model, got a language model; give --images or --text',
    );
  });
});

function rowLengths(rows: tf.Tensor2D): number[] {
  return (rows.arraySync() as number[][]).map((row) => Math.hypot(...row));
}
