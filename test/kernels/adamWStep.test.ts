import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { adamWStep } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';

const start = [1, -2, 0.5];
/** A gradient for every step, from −1 to 1, the last element always zero. */
const gradientOf = (step: number): number[] => [Math.sin(step), Math.cos(3 * step), 0];
const settings = {
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.05,
  gradientScale: 0.5,
};

const PARAM = [0.596352923538, -1.740403389995, 0.475555065233];
const M = [0.037018822351, -0.006864558846, 0.0];
const V = [0.048945088276, 0.045733605444, 0.0];

describeEachEngine('adamWStep', () => {
  it('gives, after ten steps, what the algorithm gives in float64', () => {
    let [param, m, v] = [tf.tensor1d(start), tf.zeros([3]), tf.zeros([3])] as tf.Tensor[];
    for (let step = 1; step <= 10; step++) {
      ({ param, m, v } = adamWStep(param, tf.tensor1d(gradientOf(step)), m, v, { ...settings, step }));
    }
    // Literals of algorithm 2 of arXiv 1711.05101, computed apart from this project in Python's float64.
    // Measured 1e-7 each.
    expect(relativeError(param.dataSync(), PARAM)).toBeLessThan(1e-6);
    expect(relativeError(m.dataSync(), M)).toBeLessThan(1e-6);
    expect(relativeError(v.dataSync(), V)).toBeLessThan(1e-6);
  });

  it('in its first step moves by the learning rate, whatever the size of the gradient', () => {
    const zeros = tf.zeros([2]);
    const { param } = adamWStep(zeros, tf.tensor1d([1e-3, -1e3]), zeros, zeros, {
      ...settings,
      weightDecay: 0,
      step: 1,
    });
    // 2e-5 of it is epsilon beside a gradient of 5e-4.
    expect(relativeError(param.dataSync(), [-0.1, 0.1])).toBeLessThan(1e-4);
  });

  it('decays by learningRate · weightDecay, apart from the gradient', () => {
    const zeros = tf.zeros([2]);
    const { param } = adamWStep(tf.tensor1d([2, -4]), zeros, zeros, zeros, { ...settings, step: 1 });
    expect(relativeError(param.dataSync(), [2 * 0.995, -4 * 0.995])).toBeLessThan(1e-6);
  });

  it('leaves its arguments alone', () => {
    const [param, gradient, m, v] = [[1], [2], [3], [4]].map((value) => tf.tensor1d(value));
    adamWStep(param, gradient, m, v, { ...settings, step: 3 });
    expect([param, gradient, m, v].map((tensor) => tensor.dataSync()[0])).toEqual([1, 2, 3, 4]);
  });
});
