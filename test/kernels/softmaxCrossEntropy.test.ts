import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { IGNORE_INDEX, softmaxCrossEntropy, softmaxCrossEntropyReference } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { crossEntropy, directionalDerivative } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [rows, classes] = [5, 6];
const logits = randomValues(rows * classes, 'crossEntropy', 'logits').map((value) => 3 * value);
const labels = [0, 5, IGNORE_INDEX, 2, 2];
const weights = [1, 0.5, 0, 2, 20];
const dLosses = [1, -0.3, 0.7, 2, 0.1];

const input = (): tf.Tensor2D => tf.tensor2d(logits, [rows, classes]);
const labelTensor = (): tf.Tensor1D => tf.tensor1d(labels, 'int32');
const losses = (z: tf.Tensor): tf.Tensor1D =>
  softmaxCrossEntropy(z as tf.Tensor2D, labelTensor(), tf.tensor1d(weights));
const weighted = (y: tf.Tensor): tf.Scalar => tf.sum(tf.mul(y, dLosses));

function plain(z: ArrayLike<number>): number[] {
  return labels.map((label, t) => {
    const row = Float64Array.from(z).slice(t * classes, (t + 1) * classes);
    return label === IGNORE_INDEX ? 0 : weights[t] * crossEntropy(row, label);
  });
}

describeEachEngine('softmaxCrossEntropy', () => {
  it('equals the formula in float64', () => {
    // Measured 2e-7.
    expect(relativeError(losses(input()).dataSync(), plain(logits))).toBeLessThan(1e-6);
  });

  it('has the gradient of its definition, differentiated op by op', () => {
    const safe = tf.tensor1d([0, 5, 0, 2, 2], 'int32');
    const closed = tf.grad((z) => weighted(losses(z)))(input());
    const byOps = tf.grad((z) =>
      weighted(softmaxCrossEntropyReference(z as tf.Tensor2D, safe, tf.tensor1d(weights)).losses),
    )(input());
    // Measured 2e-7.
    expect(relativeError(closed.dataSync(), byOps.dataSync())).toBeLessThan(2e-6);
  });

  it('has the directional derivative of the formula', () => {
    const direction = randomValues(logits.length, 'crossEntropy', 'direction');
    const slope = dot(
      tf
        .grad((z) => weighted(losses(z)))(input())
        .dataSync(),
      direction,
    );
    const expected = directionalDerivative((z) => dot(plain(z), dLosses), logits, direction);
    expect(relativeError([slope], [expected])).toBeLessThan(1e-4);
  });

  it('an ignored row has neither loss nor gradient', () => {
    const gradient = tf.grad((z) => weighted(losses(z)))(input());
    expect(losses(input()).dataSync()[2] + 0).toBe(0);
    expect([...gradient.slice([2, 0], [1, classes]).dataSync()].map((value) => value + 0)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('every row of the gradient sums to zero', () => {
    const sums = tf
      .grad((z) => weighted(losses(z)))(input())
      .sum(1)
      .dataSync();
    for (const sum of sums) expect(Math.abs(sum)).toBeLessThan(2e-6);
  });

  it('logits of ±1e4 do not overflow', () => {
    const z = tf.tensor2d([[1e4, -1e4, 0]]);
    const one = tf.tensor1d([1]);
    const loss = (label: number) => softmaxCrossEntropy(z, tf.tensor1d([label], 'int32'), one).dataSync()[0];
    expect([loss(0), loss(1), loss(2)].map((value) => value + 0)).toEqual([0, 2e4, 1e4]);
    const gradient = tf.grad((t) => tf.sum(softmaxCrossEntropy(t as tf.Tensor2D, tf.tensor1d([1], 'int32'), one)))(z);
    expect([...gradient.dataSync()]).toEqual([1, -1, 0]);
  });
});
