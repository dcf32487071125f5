import { beforeAll, describe, expect, it } from 'vitest';
import { imageStateShape, imageStates, type JointModel, type StateCache } from '#fusion';
import { captionTraces, GROUP_NAMES } from '#fusion/traces';
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

const CAPTIONS = ['a red square', '', 'the square is pink'];

describe('captionTraces', () => {
  for (const [name, fusion, pooling] of [
    ['routed', {}, 'mean'],
    ['grouped', { method: 'grouped' }, 'mean'],
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
