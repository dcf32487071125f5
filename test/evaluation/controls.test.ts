import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { blankImage, derangement, leaveOneOut, nearestNeighbours, randomVision } from '#evaluation';
import { fusionParameters, imageStates } from '#fusion';
import { selectEngine, tf } from '#src/engine';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { tinyJointModel } from '../support/tinyJointModel.js';

beforeAll(async () => {
  await selectEngine('wasm');
});

describe('derangement', () => {
  it('moves every image, each to a place of its own', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer(), (count, seed) => {
        const order = derangement(count, seed, 'seen');
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(order.some((position, i) => position === i)).toBe(false);
      }),
    );
  });
});

describe('leaveOneOut', () => {
  it('takes each reference in turn and keeps it from the others', () => {
    const rounds = leaveOneOut([
      ['a', 'b', 'c'],
      ['d', 'e'],
    ]);
    expect(rounds).toEqual([
      { predictions: ['a', 'd'], references: [['b', 'c'], ['e']] },
      { predictions: ['b', 'e'], references: [['a', 'c'], ['d']] },
    ]);
  });

  it('has no round where an image has one reference alone', () => {
    expect(leaveOneOut([['a', 'b'], ['c']])).toEqual([]);
  });
});

describe('nearestNeighbours', () => {
  it('takes the largest cosine, of equal ones the first', () => {
    const features = (...values: number[]) => ({ values: Float32Array.from(values), dModel: 2 });
    const candidates = features(0, 1, 0.6, 0.8, 0.6, 0.8);
    expect([...nearestNeighbours(features(0.8, 0.6, 0, 1), candidates)]).toEqual([1, 0]);
  });
});

describe('blankImage', () => {
  it('is the states of a grey image, for every position', async () => {
    const model = tinyJointModel(temporaryFolder());
    const cache = await blankImage(model);
    const [expected, got] = tf.tidy(() => [
      imageStates(model, tf.zeros([1, 16, 16, 3])).dataSync(),
      cache.states([4, 0]).dataSync(),
    ]);
    expect([...got]).toEqual([...expected, ...expected]);
    model.dispose();
  });
});

describe('randomVision', () => {
  it('draws the vision backbone anew and leaves all else as it was', async () => {
    const model = tinyJointModel(temporaryFolder());
    const random = await randomVision(model, 9);
    const [before, after] = [await model.tree.toHost(), await random.tree.toHost()];
    expect([...after.keys()]).toEqual([...before.keys()]);
    const isFusionParameter = fusionParameters(model.config);
    for (const [name, { values }] of before) {
      const same = values.every((value, i) => value === after.get(name)!.values[i]);
      const isVision = /(^|\/)vision\//.test(name) && !isFusionParameter(name);
      // Constants of the architecture come out the same whatever the seed.
      const isDrawn = isVision && !/(tau|scale|bias)$/.test(name);
      expect(same, name).toBe(!isDrawn);
    }
    random.dispose();
    // The tokenizer is shared: it must outlive the copy.
    expect(model.tokenizer.encode('a').length).toBeGreaterThan(0);
    model.dispose();
  });
});
