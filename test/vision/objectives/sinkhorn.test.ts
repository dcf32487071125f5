import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { sinkhorn } from '../../../vision/objectives/sinkhorn.js';
import { describeEachEngine } from '../../engine/eachEngine.js';

describeEachEngine('Sinkhorn', () => {
  it('gives rows of sum 1 and every column about as much, whatever column all rows prefer', () => {
    const x = tf.add(tf.randomNormal([40, 8], 0, 0.1, 'float32', 5), tf.oneHot(tf.fill([40], 3, 'int32'), 8));
    const shares = sinkhorn(x as tf.Tensor2D, 0.1);
    for (const sum of tf.sum(shares, 1).dataSync()) expect(sum).toBeCloseTo(1, 5);
    const columns = [...tf.mean(shares, 0).dataSync()];
    expect(Math.min(...columns)).toBeGreaterThan(0.1);
    expect(Math.max(...columns)).toBeLessThan(0.15);
    const plain = [...tf.mean(tf.softmax(tf.div(x, 0.1)), 0).dataSync()];
    expect(Math.max(...plain)).toBeGreaterThan(0.9);
  });

  it('is finite for the largest and smallest cosines at the lowest temperature', () => {
    const shares = sinkhorn(
      tf.tensor2d([
        [1, -1],
        [1, -1],
        [1, -1],
      ]),
      0.03,
    );
    expect([...shares.dataSync()].map((share) => Number(share.toFixed(4)))).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  });
});
