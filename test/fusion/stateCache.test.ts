import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  cacheImageStates,
  createTokenWeights,
  imageStateShape,
  imageStates,
  openCaptionPairs,
  pixelTensor,
} from '#fusion';
import { tf } from '#src/engine';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { COLOUR_NAMES, writeTinyCaptions } from '../support/tinyCaptions.js';
import { stirFusion, tinyJointModel } from '../support/tinyJointModel.js';

describeEachEngine('cacheImageStates', () => {
  for (const reading of ['last', 'perLayer'] as const) {
    it(`gives the states that the vision stream gives, in any order, ${reading}`, async () => {
      const folder = temporaryFolder();
      const model = tinyJointModel(folder, { imageStates: reading });
      const captions = await writeTinyCaptions(folder);
      const places = { seqLen: 32, cacheDir: join(folder, 'cache') };
      const pairs = await openCaptionPairs(
        { captions },
        model.config.vision,
        model.tokenizer,
        createTokenWeights([]),
        places,
      );
      // Batches of 3 do not divide the images; the last batch is smaller.
      const cache = await cacheImageStates(model, pairs, 3);
      const [depth, tokens, width] = imageStateShape(model.config);
      expect([depth, tokens, width]).toEqual([reading === 'last' ? 1 : 2, 4, 8]);
      expect(cache.bytes).toBe(COLOUR_NAMES.length * depth * tokens * width * 4);
      const positions = [7, 0, 3, 3];
      tf.tidy(() => {
        const cached = cache.states(positions);
        expect(cached.shape).toEqual([4, depth, tokens, width]);
        const again = imageStates(model, pixelTensor(model, pairs, positions));
        expect(relativeError(cached.dataSync(), again.dataSync())).toBeLessThan(1e-6);
      });
      // Too large to keep: the same states, computed for the images asked for.
      const uncached = await cacheImageStates(model, pairs, 3, { maxBytes: 0 });
      expect(uncached.bytes).toBe(0);
      tf.tidy(() => {
        const kept = cache.states(positions).dataSync();
        expect(relativeError(uncached.states(positions).dataSync(), kept)).toBeLessThan(1e-6);
      });
      pairs.close();
      model.dispose();
    });
  }

  it('keeps the states of the vision backbone alone where bridges are off, whatever LoRA has learned', async () => {
    const folder = temporaryFolder();
    const model = tinyJointModel(folder, { lora: { rank: 2, backbones: ['vision'] } });
    stirFusion(model);
    const captions = await writeTinyCaptions(folder, ['red', 'blue']);
    const places = { seqLen: 32, cacheDir: join(folder, 'cache') };
    const { vision } = model.config;
    const pairs = await openCaptionPairs({ captions }, vision, model.tokenizer, createTokenWeights([]), places);
    const [on, off] = [
      await cacheImageStates(model, pairs, 2),
      await cacheImageStates(model, pairs, 2, { bridge: false }),
    ];
    tf.tidy(() => {
      const pixels = pixelTensor(model, pairs, [0, 1]);
      const alone = imageStates(model, pixels, { bridge: false }).dataSync();
      expect(off.states([0, 1]).dataSync()).toEqual(alone);
      expect(relativeError(on.states([0, 1]).dataSync(), alone)).toBeGreaterThan(1e-3);
    });
    pairs.close();
    model.dispose();
  });

  it('holds no tensor', async () => {
    const folder = temporaryFolder();
    const model = tinyJointModel(folder);
    const captions = await writeTinyCaptions(folder, ['red', 'blue']);
    const places = { seqLen: 32, cacheDir: join(folder, 'cache') };
    const { vision } = model.config;
    const pairs = await openCaptionPairs({ captions }, vision, model.tokenizer, createTokenWeights([]), places);
    const { numTensors } = tf.memory();
    await cacheImageStates(model, pairs, 1);
    expect(tf.memory().numTensors).toBe(numTensors);
    pairs.close();
    model.dispose();
  });
});
