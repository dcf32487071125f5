import { describe, expect, it } from 'vitest';
import { IGNORED_LABEL, summedTokenLoss, totalWeight } from '#language';
import { tf } from '#src/engine';
import { IGNORE_INDEX } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { crossEntropy } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [rows, vocabSize] = [4, 6];
const logits = randomValues(rows * vocabSize, 'loss');
const labels = Int32Array.of(2, IGNORE_INDEX, 5, 0);
const row = (t: number): Float64Array => Float64Array.from(logits.slice(t * vocabSize, (t + 1) * vocabSize));
const input = (): tf.Tensor2D => tf.tensor2d(logits, [rows, vocabSize]);

describeEachEngine('summedTokenLoss', () => {
  it('sums over the rows that count', () => {
    const expected = crossEntropy(row(0), 2) + crossEntropy(row(2), 5) + crossEntropy(row(3), 0);
    expect(relativeError(summedTokenLoss(input(), labels).dataSync(), [expected])).toBeLessThan(1e-6);
  });

  it('weighs rows, and an ignored row not even then', () => {
    const expected = 20 * crossEntropy(row(0), 2) + 0.5 * crossEntropy(row(3), 0);
    const loss = summedTokenLoss(input(), labels, Float32Array.of(20, 7, 0, 0.5));
    expect(relativeError(loss.dataSync(), [expected])).toBeLessThan(1e-6);
  });

  it('has no gradient at ignored rows', () => {
    const gradient = tf.grad((z) => summedTokenLoss(z as tf.Tensor2D, labels))(input());
    const sizes = tf.sum(tf.abs(gradient), 1).dataSync();
    expect([...sizes].map((size) => size > 0)).toEqual([true, false, true, true]);
  });

  it('of nothing that counts is zero', () => {
    expect(summedTokenLoss(input(), new Int32Array(rows).fill(IGNORE_INDEX)).dataSync()[0] + 0).toBe(0);
  });
});

describe('totalWeight', () => {
  it('counts the rows that count, or adds up their weights', () => {
    expect(totalWeight(labels)).toBe(3);
    expect(totalWeight(labels, Float32Array.of(20, 7, 0, 0.5))).toBe(20.5);
  });

  it('ignores what the text batches mark as ignored', () => {
    expect(totalWeight(Int32Array.of(1, IGNORED_LABEL))).toBe(1);
    expect(IGNORED_LABEL).toBe(IGNORE_INDEX);
  });
});
