import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { IGNORE_INDEX, linearCrossEntropy, softmaxCrossEntropyReference } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { crossEntropy, directionalDerivative } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [rows, dModel, vocabSize] = [5, 3, 7];
const states = randomValues(rows * dModel, 'linearCrossEntropy', 'states');
const embedding = randomValues(vocabSize * dModel, 'linearCrossEntropy', 'embedding');
const labels = [0, 6, IGNORE_INDEX, 2, 2];
const weights = [1, 0.5, 0, 2, 20];
const dLosses = [1, -0.3, 0.7, 2, 0.1];

const inputs = (): [tf.Tensor2D, tf.Tensor2D] => [
  tf.tensor2d(states, [rows, dModel]),
  tf.tensor2d(embedding, [vocabSize, dModel]),
];
const labelTensor = (): tf.Tensor1D => tf.tensor1d(labels, 'int32');
const losses = (...[s, e]: tf.Tensor[]): tf.Tensor1D =>
  linearCrossEntropy(s as tf.Tensor2D, e as tf.Tensor2D, labelTensor(), tf.tensor1d(weights));
/** The definition, every operation differentiated by TensorFlow.js. */
const byOps = (...[s, e]: tf.Tensor[]): tf.Tensor => {
  const safe = tf.maximum(labelTensor(), tf.scalar(0, 'int32')) as tf.Tensor1D;
  const logits = tf.matMul(s, e, false, true) as tf.Tensor2D;
  return softmaxCrossEntropyReference(logits, safe, tf.tensor1d(weights)).losses;
};

function plain(s: ArrayLike<number>, e: ArrayLike<number>): number[] {
  const [allStates, allClasses] = [Array.from(s), Array.from(e)];
  return labels.map((label, t) => {
    if (label === IGNORE_INDEX) return 0;
    const state = allStates.slice(t * dModel, (t + 1) * dModel);
    const logits = Float64Array.from({ length: vocabSize }, (_, c) =>
      dot(state, allClasses.slice(c * dModel, (c + 1) * dModel)),
    );
    return weights[t] * crossEntropy(logits, label);
  });
}

describeEachEngine('linearCrossEntropy', () => {
  it('equals the formula in float64, in a gradient and outside', () => {
    // Measured 2e-7.
    expect(relativeError(losses(...inputs()).dataSync(), plain(states, embedding))).toBeLessThan(1e-6);
    const { value } = tf.valueAndGrads((s, e) => tf.sum(losses(s, e)))(inputs());
    const sum = plain(states, embedding).reduce((a, b) => a + b);
    expect(relativeError(value.dataSync(), [sum])).toBeLessThan(1e-6);
  });

  it.each([
    ['a sum', Array(rows).fill(1)],
    ['a mean', Array(rows).fill(0.2)],
    ['anything', dLosses],
  ])('has the gradients of its definition, as part of %s', (_, factors) => {
    const weighted = (of: typeof byOps) => (s: tf.Tensor, e: tf.Tensor) => tf.sum(tf.mul(of(s, e), factors));
    const closed = tf.grads(weighted(losses))(inputs());
    const expected = tf.grads(weighted(byOps))(inputs());
    // Measured 2e-7.
    for (const i of [0, 1]) {
      expect(relativeError(closed[i].dataSync(), expected[i].dataSync())).toBeLessThan(2e-6);
    }
  });

  it('has the directional derivatives of the formula', () => {
    const gradients = tf.grads((s, e) => tf.sum(tf.mul(losses(s, e), dLosses)))(inputs());
    const directions = [states, embedding].map((x, i) => randomValues(x.length, 'linearCrossEntropy', i));
    const slopes = gradients.map((gradient, i) => dot(gradient.dataSync(), directions[i]));
    const expected = [
      directionalDerivative((s) => dot(plain(s, embedding), dLosses), states, directions[0]),
      directionalDerivative((e) => dot(plain(states, e), dLosses), embedding, directions[1]),
    ];
    // Measured 2e-7.
    for (const i of [0, 1]) expect(relativeError([slopes[i]], [expected[i]])).toBeLessThan(1e-4);
  });

  it('a row of weight 0 has neither loss nor gradient', () => {
    const [gradient] = tf.grads((s, e) => tf.sum(losses(s, e)))(inputs());
    expect(losses(...inputs()).dataSync()[2] + 0).toBe(0);
    const sizes = tf.sum(tf.abs(gradient), 1).dataSync();
    expect([...sizes].map((size) => size > 0)).toEqual([true, true, false, true, true]);
  });

  it('with all weights 0 is zero, and so are the gradients', () => {
    const none = (s: tf.Tensor, e: tf.Tensor): tf.Tensor =>
      tf.sum(linearCrossEntropy(s as tf.Tensor2D, e as tf.Tensor2D, labelTensor(), tf.zeros([rows])));
    const { value, grads } = tf.valueAndGrads(none)(inputs());
    for (const tensor of [value, ...grads]) expect(tensor.dataSync().every((x) => x === 0)).toBe(true);
  });

  it('logits of ±80 do not overflow', () => {
    const one = tf.tensor1d([1, 1, 1]);
    const same = tf.tensor2d([[8], [8], [8]]);
    const classes = tf.tensor2d([[10], [-10], [0]]);
    const of = (s: tf.Tensor, e: tf.Tensor): tf.Tensor =>
      linearCrossEntropy(s as tf.Tensor2D, e as tf.Tensor2D, tf.tensor1d([0, 1, 2], 'int32'), one);
    expect([...of(same, classes).dataSync()].map((value) => value + 0)).toEqual([0, 160, 80]);
    // p − onehot is (0, 0, 0), (1, −1, 0) and (1, 0, −1).
    const [dStates, dClasses] = tf.grads((s, e) => tf.sum(of(s, e)))([same, classes]);
    expect(relativeError(dStates.dataSync(), [0, 20, 10])).toBeLessThan(1e-6);
    expect(relativeError(dClasses.dataSync(), [16, -8, -8])).toBeLessThan(1e-6);
  });

  it('names the shapes that disagree', () => {
    const [s, e] = inputs();
    const narrow = tf.zeros([vocabSize, dModel - 1]) as tf.Tensor2D;
    const ones = tf.ones([rows]) as tf.Tensor1D;
    expect(() => linearCrossEntropy(s, narrow, labelTensor(), ones)).toThrow(
      'got states [5,3], embedding [7,2], labels [5], weights [5]',
    );
    expect(() => linearCrossEntropy(s, e, labelTensor(), tf.ones([4]) as tf.Tensor1D)).toThrow('weights [4]');
  });
});
