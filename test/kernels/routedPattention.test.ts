import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type PattentionSettings, pattention, routedPattention } from '#src/kernels';
import { createRandom } from '#src/random';
import { clusterKeys, type KeyClusters } from '#src/tokenformer';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { type Activation, matrix, multiply, pattention as plainPattention, transpose } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [dIn, n, dOut, clusters] = [12, 90, 37, 9];
const keys = randomValues(n * dIn, 'routed', 'keys');
const values = randomValues(n * dOut, 'routed', 'values');
const numbersOf = (tokens: number): Float32Array => randomValues(tokens * dIn, 'routed', 'x');
const input = (tokens: number): tf.Tensor2D => tf.tensor2d(numbersOf(tokens), [tokens, dIn]);

const settings = (normActivation = 'l2NormGelu', gelu: 'erf' | 'tanh' = 'erf'): PattentionSettings => ({
  normActivation,
  gelu,
  epsilon: 1e-5,
  tau: Math.sqrt(n),
});

const clustered = (): KeyClusters =>
  clusterKeys(tf.tensor2d(keys, [n, dIn]), tf.tensor2d(values, [n, dOut]), clusters, createRandom(3, 'routed'));

/** The definition in float64: weights under the norm over all scores, those of other clusters than the best set to 0. */
function expectedOutput(tokens: number, given: PattentionSettings, assignment: ArrayLike<number>, best: number) {
  const x = matrix(tokens, dIn, numbersOf(tokens));
  const numClusters = Math.max(...Array.from(assignment)) + 1;
  const identity = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const math = { ...given, activation: given.normActivation as Activation };
  const weights = plainPattention(x, matrix(n, dIn, keys), matrix(n, n, identity), math);
  const scores = multiply(x, transpose(matrix(n, dIn, keys)));
  for (let t = 0; t < tokens; t++) {
    // x · mean key is the mean score of a cluster.
    const sums = Array.from({ length: numClusters }, () => ({ sum: 0, count: 0 }));
    for (let i = 0; i < n; i++) {
      sums[assignment[i]].sum += scores.data[t * n + i];
      sums[assignment[i]].count++;
    }
    const means = sums.map(({ sum, count }) => sum / count);
    const least = [...means].sort((a, b) => b - a)[best - 1];
    for (let i = 0; i < n; i++) if (means[assignment[i]] < least) weights.data[t * n + i] = 0;
  }
  return multiply(weights, matrix(n, dOut, values)).data;
}

describeEachEngine('routedPattention', () => {
  it.each([
    [1, 2, 'l2NormGelu', 'erf'],
    [3, 1, 'l2NormGelu', 'tanh'],
    [21, 4, 'l2NormGelu', 'erf'],
    [5, 3, 'softmax', 'erf'],
  ] as const)(
    'of %i tokens and the best %i clusters is the definition in float64, %s %s',
    (tokens, best, theta, gelu) => {
      const of = clustered();
      const given = settings(theta, gelu);
      const expected = expectedOutput(tokens, given, of.assignment.dataSync(), best);
      // Measured 5e-7 at most.
      expect(relativeError(routedPattention(input(tokens), of, given, best).dataSync(), expected)).toBeLessThan(4e-6);
    },
  );

  it.each([1, 21])('is the dense result of %i tokens when every cluster is used', (tokens) => {
    const of = clustered();
    const dense = pattention(input(tokens), tf.tensor2d(keys, [n, dIn]), tf.tensor2d(values, [n, dOut]), settings());
    const output = routedPattention(input(tokens), of, settings(), of.starts.length - 1);
    // The norm comes from the Gram matrix, and the sums are in another order: measured 5e-7.
    expect(relativeError(output.dataSync(), dense.dataSync())).toBeLessThan(4e-6);
  });

  it('gives zeros for a token of zeros, and shows NaN', () => {
    const of = clustered();
    expect([...routedPattention(tf.zeros([1, dIn]), of, settings(), 2).dataSync()]).toEqual(new Array(dOut).fill(0));
    const broken = tf.fill([1, dIn], Number.NaN) as tf.Tensor2D;
    expect([...routedPattention(broken, of, settings(), 2).dataSync()].every(Number.isNaN)).toBe(true);
  });

  it('refuses a gradient, and a number of clusters out of range', () => {
    const of = clustered();
    expect(() => tf.grad((x) => routedPattention(x as tf.Tensor2D, of, settings(), 2))(input(1))).toThrow(
      'routedPattention: expected inference, got a gradient',
    );
    for (const best of [0, 99, 1.5]) {
      expect(() => routedPattention(input(1), of, settings(), best)).toThrow(/expected 1 to \d clusters/);
    }
  });

  it('holds no memory', () => {
    const of = clustered();
    const x = input(3);
    const run = (): void => routedPattention(x, of, settings(), 2).dispose();
    run();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) run();
    expect(tf.memory().numTensors).toBe(before);
  });
});
