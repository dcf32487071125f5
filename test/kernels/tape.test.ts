import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { layerNormalize, withoutGradient } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';

describeEachEngine('a computation without gradient', () => {
  it('is a constant to what it is used in', () => {
    const x = tf.tensor2d([[1, 2, 4]]);
    // d/dx (stop(x²) · x) = x², not 3 x².
    const gradient = tf.grad((v) =>
      tf.mul(
        withoutGradient(() => tf.square(v)),
        v,
      ),
    )(x);
    expect([...gradient.dataSync()]).toEqual([1, 4, 16]);
    tf.dispose([x, gradient]);
  });

  it('keeps nothing for a backward pass, fused operations included', () => {
    const x = tf.variable(tf.tensor2d([[1, 2, 4]]));
    const before = tf.memory().numTensors;
    let during = 0;
    const { value, grads } = tf.variableGrads(() => {
      const start = tf.memory().numTensors;
      const constant = withoutGradient(() => layerNormalize(tf.exp(layerNormalize(tf.square(x) as tf.Tensor2D))));
      during = tf.memory().numTensors - start;
      return tf.sum(tf.mul(constant, x)) as tf.Scalar;
    }, [x]);
    expect(during).toBe(1);
    tf.dispose([value, grads]);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  it('is the plain computation outside of a gradient', () => {
    const result = withoutGradient(() => tf.square(tf.tensor1d([3])));
    expect([...result.dataSync()]).toEqual([9]);
    result.dispose();
  });
});
