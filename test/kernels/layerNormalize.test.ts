import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { layerNormalize, layerNormalizeReference } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { directionalDerivative, matrix, layerNormalize as plainLayerNormalize } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [rows, width] = [6, 7];
const xs = randomValues(rows * width, 'layerNormalize', 'x').map((value) => 3 * value + 1);
const dys = randomValues(rows * width, 'layerNormalize', 'dy');

const input = (): tf.Tensor2D => tf.tensor2d(xs, [rows, width]);
const weighted = (y: tf.Tensor): tf.Scalar => tf.sum(tf.mul(y, tf.tensor2d(dys, [rows, width])));

describeEachEngine('layerNormalize', () => {
  it('equals the formula in float64', () => {
    // Measured 1e-7.
    const expected = plainLayerNormalize(matrix(rows, width, xs)).data;
    expect(relativeError(layerNormalize(input()).dataSync(), expected)).toBeLessThan(1e-6);
  });

  it('has the gradient of its definition, differentiated op by op', () => {
    const closed = tf.grad((x) => weighted(layerNormalize(x as tf.Tensor2D)))(input());
    const byOps = tf.grad((x) => weighted(layerNormalizeReference(x, 1e-5).output))(input());
    // Measured 3e-7.
    expect(relativeError(closed.dataSync(), byOps.dataSync())).toBeLessThan(3e-6);
  });

  it('has the directional derivative of the formula', () => {
    const direction = randomValues(xs.length, 'layerNormalize', 'direction');
    const f = (x: Float64Array): number => dot(plainLayerNormalize(matrix(rows, width, x)).data, dys);
    const slope = dot(
      tf
        .grad((x) => weighted(layerNormalize(x as tf.Tensor2D)))(input())
        .dataSync(),
      direction,
    );
    // Measured 1e-7.
    expect(relativeError([slope], [directionalDerivative(f, xs, direction)])).toBeLessThan(1e-4);
  });

  it('gives zeros, not NaN, for a constant row, and a finite gradient', () => {
    const x = tf.tensor2d([
      [0, 0, 0],
      [5, 5, 5],
    ]);
    expect([...layerNormalize(x).dataSync()].map((value) => value + 0)).toEqual([0, 0, 0, 0, 0, 0]);
    const gradient = tf.grad((t) => tf.sum(tf.square(tf.add(layerNormalize(t as tf.Tensor2D), 1))))(x);
    expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
  });

  it('takes another epsilon', () => {
    const expected = plainLayerNormalize(matrix(rows, width, xs), 0.5).data;
    expect(relativeError(layerNormalize(input(), 0.5).dataSync(), expected)).toBeLessThan(1e-6);
  });
});
