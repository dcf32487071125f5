import { beforeAll, describe, expect, it } from 'vitest';
import { captionTraces, type DrawTally, GROUP_NAMES } from '#evaluation/traces';
import { captionLogits, imageContexts, imageStateShape, imageStates, type JointModel, type StateCache } from '#fusion';
import { selectEngine, tf } from '#src/engine';
import { LAYER_NAMES } from '#src/tokenformer';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { noisePixels, stirFusion, tinyJointModel } from '../../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

function cacheOf(model: JointModel): StateCache {
  return {
    states: ({ length }) =>
      tf.tidy(() => tf.reshape(imageStates(model, noisePixels(length)), [length, ...imageStateShape(model.config)])),
    bytes: 0,
  };
}

/** What a tally is given. */
function recordedDraws() {
  const draws: { word: string; ranges: Parameters<DrawTally['add']>[1]; shares: Float32Array }[] = [];
  const tally: DrawTally = {
    add: (word, ranges, shares) => draws.push({ word, ranges, shares }),
    tokens: () => [],
  };
  return { draws, tally };
}

const CAPTIONS = ['a red square', '', 'the square is pink'];

describe('captionTraces', () => {
  for (const [name, fusion, pooling] of [
    ['routed', {}, 'mean'],
    ['grouped', { method: 'grouped' }, 'mean'],
    ['gates on the image', { imageGate: 'closed' }, 'mean'],
    ['a class token', {}, 'classToken'],
  ] as const) {
    it(`traces every word, its shares sum to 1: ${name}`, async () => {
      const model = tinyJointModel(temporaryFolder(), fusion, { pooling });
      stirFusion(model);
      const { numTensors } = tf.memory();
      const traces = (await captionTraces(model, cacheOf(model), [0, 1, 2], CAPTIONS))!;
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(traces.map(({ words }) => words.map(({ word }) => word).join(' '))).toEqual(CAPTIONS);
      for (const { patches, imageAttention, shares } of traces.flatMap(({ words }) => words)) {
        expect(patches).toHaveLength(4);
        const onPatches = patches.reduce((sum, value) => sum + value, 0);
        // Rounded to four decimals; a class token takes what is not on the patches.
        expect(onPatches).toBeLessThan(imageAttention + 5e-4);
        if (pooling === 'mean') expect(onPatches).toBeGreaterThan(imageAttention - 5e-4);
        expect(imageAttention).toBeLessThanOrEqual(1);
        for (const layer of LAYER_NAMES) {
          const total = GROUP_NAMES.reduce((sum, group) => sum + shares[layer][group], 0);
          expect(Math.abs(total - 1)).toBeLessThan(5e-4);
        }
        // Only text tokens pass through the ffn, and no bridge sits there.
        expect(shares.ffn.language).toBe(name === 'grouped' ? shares.ffn.language : 1);
        expect(shares.value.vision).toBeGreaterThan(0);
        expect(shares.output.imageBridge).toBeGreaterThan(0);
      }
      model.dispose();
    });
  }

  it.each([
    ['routed', {}, 4],
    ['grouped', { method: 'grouped' }, 4],
    ['gates on the image, which nothing opens', { imageGate: 'closed' }, 0],
  ] as const)('traces without the bridge: %s', async (_, fusion, patches) => {
    const model = tinyJointModel(temporaryFolder(), fusion);
    stirFusion(model);
    const { numTensors } = tf.memory();
    const [trace] = (await captionTraces(model, cacheOf(model), [1], ['a red square'], { bridge: false }))!;
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(trace.words.map(({ word }) => word)).toEqual(['a', 'red', 'square']);
    for (const word of trace.words) {
      expect(word.patches).toHaveLength(patches);
      expect(word.imageAttention > 0).toBe(patches > 0);
      for (const layer of LAYER_NAMES) {
        const { vision, language, textBridge, imageBridge } = word.shares[layer];
        expect(textBridge + imageBridge).toBe(0);
        expect(Math.abs(vision + language - 1)).toBeLessThan(5e-4);
      }
    }
    model.dispose();
  });

  for (const [name, fusion] of [
    ['routed', {}],
    ['grouped', { method: 'grouped' }],
    ['gates on the image', { imageGate: 'closed' }],
    ['linear bridges', { bridge: { tokens: 4, kind: 'linear' } }],
    ['image values that read the state', { positionValues: false }],
  ] as const) {
    it(`divides the share of each group among its parameter tokens: ${name}`, async () => {
      const model = tinyJointModel(temporaryFolder(), fusion);
      stirFusion(model);
      const { draws, tally } = recordedDraws();
      const traces = (await captionTraces(model, cacheOf(model), [0, 1, 2], CAPTIONS, { tally }))!;
      const words = traces.flatMap((trace) => trace.words);
      expect(draws.map(({ word }) => word)).toEqual(words.map(({ word }) => word));
      for (const [w, { ranges, shares }] of draws.entries()) {
        const sums = new Map<string, number>();
        let first = 0;
        for (const { layer, group, count } of ranges) {
          const sum = shares.subarray(first, first + count).reduce((a, b) => a + b, 0);
          sums.set(`${layer}/${group}`, (sums.get(`${layer}/${group}`) ?? 0) + sum);
          first += count;
        }
        expect(first).toBe(shares.length);
        for (const layer of LAYER_NAMES) {
          for (const group of GROUP_NAMES) {
            // Five kinds of layer; the shares of groups are rounded to four decimals.
            const difference = 5 * (sums.get(`${layer}/${group}`) ?? 0) - words[w].shares[layer][group];
            expect(Math.abs(difference)).toBeLessThan(1e-4);
          }
        }
        const sorted = [...shares].sort((a, b) => b - a);
        expect(words[w].tokens).toHaveLength(5);
        for (const [i, { share }] of words[w].tokens.entries()) expect(share / sorted[i]).toBeCloseTo(1, 3);
      }
      model.dispose();
    });
  }

  it('weighs a parameter token by |s| ‖V‖, at the position that predicts the word', async () => {
    const model = tinyJointModel(temporaryFolder());
    stirFusion(model);
    const { draws, tally } = recordedDraws();
    const cache = cacheOf(model);
    await captionTraces(model, cache, [0], ['a'], { tally });
    const expected = tf.tidy(() => {
      const contexts = imageContexts(model, cache.states([0]), { bridge: true });
      let weights: number[] = [];
      const ids = [model.tokenizer.endOfTextId, ...model.tokenizer.encode('a')];
      expect(ids).toHaveLength(2);
      captionLogits(model, tf.tensor2d([ids], [1, 2], 'int32'), {
        bridge: true,
        contexts,
        capture: (name, compute) => {
          if (name === 'block1/ffn/language/weights') weights = (compute().arraySync() as number[][])[0];
        },
      });
      const values = model.tree.variable('block1/ffn/language/valueParamTokens').arraySync() as number[][];
      const written = weights.map((s, i) => Math.abs(s) * Math.hypot(...values[i]));
      const total = written.reduce((a, b) => a + b, 0);
      return written.map((norm) => norm / total);
    });
    const [{ ranges, shares }] = draws;
    const place = ranges.findIndex(({ block, layer }) => block === 1 && layer === 'ffn');
    const first = ranges.slice(0, place).reduce((sum, { count }) => sum + count, 0);
    expect(ranges[place]).toMatchObject({ group: 'language', count: expected.length });
    const numLayers = 5 * model.config.language.backbone.stack.numLayers;
    // Measured: 2.4e-8 apart, float32.
    for (const [i, share] of expected.entries()) expect(shares[first + i] * numLayers).toBeCloseTo(share, 6);
    model.dispose();
  });

  it('names nothing for captions without a word', async () => {
    const model = tinyJointModel(temporaryFolder());
    expect(await captionTraces(model, cacheOf(model), [2], [''])).toEqual([{ position: 2, words: [] }]);
    model.dispose();
  });

  it('counts silent bridges as nothing', async () => {
    const model = tinyJointModel(temporaryFolder());
    const [trace] = (await captionTraces(model, cacheOf(model), [0], ['a red square']))!;
    for (const { shares } of trace.words) {
      for (const layer of LAYER_NAMES) expect([shares[layer].textBridge, shares[layer].imageBridge]).toEqual([0, 0]);
    }
    model.dispose();
  });

  it('does not trace methods whose groups have no outputs of their own', async () => {
    const model = tinyJointModel(temporaryFolder(), { method: 'union' });
    expect(await captionTraces(model, cacheOf(model), [0], ['a red square'])).toBeUndefined();
    model.dispose();
  });
});
