import { describe, expect, it } from 'vitest';
import { summedTokenLoss, totalWeight } from '#language';
import { tf } from '#src/engine';
import { IGNORE_INDEX } from '#src/kernels';
import { ParameterTree } from '#src/tokenformer';
import { describeEachEngine } from '../../engine/eachEngine.js';
import { relativeError } from '../../support/closeness.js';
import { dot } from '../../support/dot.js';
import { crossEntropy } from '../../support/float64.js';
import { randomValues } from '../../support/randomValues.js';

const [rows, dModel, vocabSize] = [4, 3, 6];
const hidden = randomValues(rows * dModel, 'loss');
const embedding = randomValues(vocabSize * dModel, 'loss', 'embedding');
const labels = Int32Array.of(2, IGNORE_INDEX, 5, 0);
/** Logits of a row. */
const row = (t: number): Float64Array => {
  const state = hidden.slice(t * dModel, (t + 1) * dModel);
  return Float64Array.from({ length: vocabSize }, (_, c) => dot(state, embedding.slice(c * dModel, (c + 1) * dModel)));
};
const input = (): tf.Tensor2D => tf.tensor2d(hidden, [rows, dModel]);
/** A new tree in every test: its variables belong to the engine at work. */
const model = (): ParameterTree =>
  new ParameterTree(
    new Map([['language/tokenEmbedding', { shape: [vocabSize, dModel], values: Float32Array.from(embedding) }]]),
  );

describeEachEngine('summedTokenLoss', () => {
  it('sums over the rows that count', () => {
    const expected = crossEntropy(row(0), 2) + crossEntropy(row(2), 5) + crossEntropy(row(3), 0);
    expect(relativeError(summedTokenLoss(model(), input(), labels).dataSync(), [expected])).toBeLessThan(1e-6);
  });

  it('weighs rows, and an ignored row not even then', () => {
    const expected = 20 * crossEntropy(row(0), 2) + 0.5 * crossEntropy(row(3), 0);
    const loss = summedTokenLoss(model(), input(), labels, Float32Array.of(20, 7, 0, 0.5));
    expect(relativeError(loss.dataSync(), [expected])).toBeLessThan(1e-6);
  });

  it('has no gradient at ignored rows', () => {
    const gradient = tf.grad((x) => summedTokenLoss(model(), x as tf.Tensor2D, labels))(input());
    const sizes = tf.sum(tf.abs(gradient), 1).dataSync();
    expect([...sizes].map((size) => size > 0)).toEqual([true, false, true, true]);
  });

  it('of nothing that counts is zero', () => {
    expect(summedTokenLoss(model(), input(), new Int32Array(rows).fill(IGNORE_INDEX)).dataSync()[0] + 0).toBe(0);
  });
});

describe('totalWeight', () => {
  it('counts the rows that count, or adds up their weights', () => {
    expect(totalWeight(labels)).toBe(3);
    expect(totalWeight(labels, Float32Array.of(20, 7, 0, 0.5))).toBe(20.5);
  });

  it('ignores what the text batches mark as ignored', () => {
    expect(totalWeight(Int32Array.of(1, IGNORE_INDEX))).toBe(1);
  });
});
