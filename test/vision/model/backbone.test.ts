import { describe, expect, it } from 'vitest';
import { tf } from '#src/engine';
import { ParameterTree } from '#src/tokenformer';
import {
  createVisionParameters,
  embedPatches,
  numImageTokens,
  numPatches,
  POSITION_EMBEDDING,
  patchify,
  patchTokens,
  pooled,
  VisionConfig,
  visionForward,
} from '#vision';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { squares, tinyVisionConfig } from '../../support/tinyVisionModel.js';

const images = (): tf.Tensor4D => tf.tensor4d(squares(3).pixelValues, [3, 8, 8, 3]);
const newTree = (config: VisionConfig): ParameterTree => new ParameterTree(createVisionParameters(config, 1));

describeEachEngine('the vision backbone', () => {
  it.each([
    ['mean', 16],
    ['classToken', 17],
  ] as const)('with %s pooling has %i tokens an image', (pooling, tokens) => {
    const config = tinyVisionConfig({ pooling });
    const { hidden, normed } = visionForward(newTree(config), config, images());
    expect([hidden.shape, normed.shape]).toEqual([
      [3, tokens, 12],
      [3, tokens, 12],
    ]);
    expect(numImageTokens(config)).toBe(tokens);
    expect(patchTokens(config, normed).shape).toEqual([3, numPatches(config), 12]);
    expect(pooled(config, normed).shape).toEqual([3, 12]);
  });

  it('pools by the mean over patches', () => {
    const config = tinyVisionConfig();
    const normed = tf
      .stack([tf.range(0, 16), tf.range(16, 32)])
      .expandDims(2)
      .mul(tf.ones([1, 1, 12])) as tf.Tensor3D;
    expect(pooled(config, normed).slice([0, 0], [2, 1]).dataSync()).toEqual(Float32Array.of(7.5, 23.5));
  });

  it('pools by the class token, which is the first, and leaves it out of the patches', () => {
    const config = tinyVisionConfig({ pooling: 'classToken' });
    const normed = tf
      .range(0, 17)
      .reshape([1, 17, 1])
      .mul(tf.ones([1, 1, 12])) as tf.Tensor3D;
    expect(new Set(pooled(config, normed).dataSync())).toEqual(new Set([0]));
    expect([...patchTokens(config, normed).slice([0, 0, 0], [1, 16, 1]).dataSync()][0]).toBe(1);
  });

  it('with a class token lets every patch reach the pooled vector', () => {
    const config = tinyVisionConfig({ pooling: 'classToken' });
    const tree = newTree(config);
    const gradient = tf.grad((pixels) => {
      const { normed } = visionForward(tree, config, pixels as tf.Tensor4D);
      return tf.sum(tf.square(pooled(config, normed).slice([0, 0], [3, 5])));
    })(images());
    const perPatch = tf.sum(tf.abs(patchify(gradient as tf.Tensor4D, 2)), 2).dataSync();
    expect(Math.min(...perPatch)).toBeGreaterThan(0);
  });

  it('does not mix the images of a batch', () => {
    const config = tinyVisionConfig();
    const tree = newTree(config);
    const together = visionForward(tree, config, images()).hidden.slice([1, 0, 0], [1, 16, 12]);
    const alone = visionForward(tree, config, images().slice([1, 0, 0, 0], [1, 8, 8, 3])).hidden;
    // Measured 0 to 2e-7.
    expect(relativeError(alone.dataSync(), together.dataSync())).toBeLessThan(2e-6);
  });

  it('tells where a patch stands', () => {
    const config = tinyVisionConfig();
    const tree = newTree(config);
    const blank = tf.zeros([1, 8, 8, 3]) as tf.Tensor4D;
    const tokens = embedPatches(tree, config, patchify(blank, 2));
    expect(relativeError(tokens.dataSync(), tree.variable(POSITION_EMBEDDING).dataSync())).toBe(0);
  });

  it('embeds a choice of patches, each with its own position', () => {
    const config = tinyVisionConfig({ pooling: 'classToken' });
    const tree = newTree(config);
    const patches = patchify(images(), 2);
    const all = embedPatches(tree, config, patches);
    const chosen = [
      [5, 0],
      [15, 3],
      [7, 7],
    ];
    const picked = tf.gather(patches, tf.tensor2d(chosen, undefined, 'int32'), 1, 1) as tf.Tensor3D;
    const some = embedPatches(tree, config, picked, tf.tensor1d(chosen.flat(), 'int32'));
    const expected = tf.gather(all, tf.tensor2d(chosen, undefined, 'int32'), 1, 1);
    expect(relativeError(some.dataSync(), expected.dataSync())).toBeLessThan(1e-6);
  });

  it('hands out the states before and after every block', () => {
    const config = tinyVisionConfig();
    const names: string[] = [];
    visionForward(newTree(config), config, images(), { capture: (name) => void names.push(name) });
    expect(names.filter((name) => name.startsWith('hidden'))).toEqual(['hidden.0', 'hidden.1', 'hidden.2']);
  });
});

describe('VisionConfig', () => {
  it('refuses a patch size that does not divide the image', () => {
    const { stack } = tinyVisionConfig();
    const [issue] = VisionConfig.safeParse({ imageSize: 8, patchSize: 3, stack }).error!.issues;
    expect([issue.path, issue.message]).toEqual([['patchSize'], 'expected a divisor of imageSize 8, got 3']);
  });
});

describe('createVisionParameters', () => {
  it('has a class token only where pooling uses it', () => {
    const names = (pooling: 'mean' | 'classToken') => [
      ...createVisionParameters(tinyVisionConfig({ pooling }), 1).keys(),
    ];
    expect(names('classToken').filter((name) => !names('mean').includes(name))).toEqual(['vision/classToken']);
    expect(
      createVisionParameters(tinyVisionConfig({ pooling: 'classToken' }), 1).get(POSITION_EMBEDDING)!.shape,
    ).toEqual([17, 12]);
  });

  it('is the same for the same seed and another for another', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => createVisionParameters(tinyVisionConfig(), seed));
    expect(b).toEqual(a);
    expect(c.get(POSITION_EMBEDDING)).not.toEqual(a.get(POSITION_EMBEDDING));
  });
});
