import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { squaredNorm } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';

describeEachEngine('squaredNorm', () => {
  it('is the sum of the squares of all numbers of all tensors', () => {
    const tensors = [tf.tensor2d([[1, -2]]), tf.scalar(3), tf.zeros([0, 3]), tf.tensor1d([0.5])];
    const norm = squaredNorm(tensors);
    expect(norm.shape).toEqual([]);
    expect(norm.dataSync()[0]).toBe(14.25);
    expect(tensors[0].dataSync()[1]).toBe(-2);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1e30])('shows a gradient of %s', (value) => {
    const norm = squaredNorm([tf.ones([5]), tf.tensor1d([1, value, 1])]).dataSync()[0];
    expect(norm).toBe(Number.isNaN(value) ? Number.NaN : Number.POSITIVE_INFINITY);
  });
});
