import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { describeEachEngine } from '../eachEngine.js';

describeEachEngine('gradients of sums', () => {
  it.each([
    [undefined, false],
    [0, false],
    [1, true],
    [[0, 2], false],
    [-1, false],
  ])('spread what came in over the axes that were summed: %s, kept %s', (axis, keepDims) => {
    const x = tf.ones([2, 3, 4]);
    const axes = tf.util.parseAxisParam(axis ?? [0, 1, 2], [2, 3, 4]);
    const count = axes.reduce((product, each) => product * [2, 3, 4][each], 1);
    // Another factor for each result, so that a gradient at the wrong place shows.
    const factors = tf.tidy(() => {
      const results = tf.sum(x, axis, keepDims);
      return tf.reshape(tf.range(1, results.size + 1), results.shape);
    });
    const expected = tf.tidy(() => {
      const shape = [2, 3, 4].map((size, i) => (axes.includes(i) ? 1 : size));
      return [...tf.mul(tf.reshape(factors, shape), tf.ones([2, 3, 4])).dataSync()];
    });
    const [ofSum, ofMean] = [tf.sum, tf.mean].map((reduce) =>
      tf.tidy(() => [
        ...tf
          .grad((y) => tf.sum(tf.mul(reduce(y, axis, keepDims), factors)))(x)
          .dataSync(),
      ]),
    );
    tf.dispose([x, factors]);
    expect(ofSum).toEqual(expected);
    // Measured 6e-8: a third is rounded.
    for (const [i, value] of ofMean.entries()) expect(Math.abs(value - expected[i] / count)).toBeLessThan(1e-6);
  });
});
