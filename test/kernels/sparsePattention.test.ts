import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type PattentionSettings, pattention, sparsePattention } from '#src/kernels';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { type Activation, matrix, multiply, pattention as plainPattention } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const settings = (normActivation: string, n: number, gelu: 'erf' | 'tanh' = 'erf'): PattentionSettings => ({
  normActivation,
  gelu,
  epsilon: 1e-5,
  tau: normActivation === 'softmax' ? n : Math.sqrt(n),
});

interface Sizes {
  readonly tokens: number;
  readonly dIn: number;
  readonly n: number;
  readonly dOut: number;
}

function numbersOf({ tokens, dIn, n, dOut }: Sizes): [x: Float32Array, keys: Float32Array, values: Float32Array] {
  return [
    randomValues(tokens * dIn, 'sparse', 'x'),
    randomValues(n * dIn, 'sparse', 'keys', n),
    randomValues(n * dOut, 'sparse', 'values', n),
  ];
}

function inputs(sizes: Sizes): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  const [x, keys, values] = numbersOf(sizes);
  const { tokens, dIn, n, dOut } = sizes;
  return [tf.tensor2d(x, [tokens, dIn]), tf.tensor2d(keys, [n, dIn]), tf.tensor2d(values, [n, dOut])];
}

/** The definition in float64: weights as those of a Pattention whose values are the identity, all but k of a row set to 0. */
function expectedOutput(sizes: Sizes, given: PattentionSettings, strongest: number): Float64Array {
  const { tokens, dIn, n, dOut } = sizes;
  const [x, keys, values] = numbersOf(sizes);
  const identity = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const math = { ...given, activation: given.normActivation as Activation };
  const weights = plainPattention(matrix(tokens, dIn, x), matrix(n, dIn, keys), matrix(n, n, identity), math);
  for (let t = 0; t < tokens; t++) {
    const row = weights.data.subarray(t * n, (t + 1) * n);
    const least = [...row].map(Math.abs).sort((a, b) => b - a)[strongest - 1];
    for (let i = 0; i < n; i++) if (Math.abs(row[i]) < least) row[i] = 0;
  }
  return multiply(weights, matrix(n, dOut, values)).data;
}

describeEachEngine('sparsePattention', () => {
  it.each([
    ['l2NormGelu', 'erf', { tokens: 7, dIn: 5, n: 9, dOut: 6 }, 3],
    ['l2NormGelu', 'tanh', { tokens: 1, dIn: 33, n: 300, dOut: 41 }, 7],
    ['geluL2Norm', 'erf', { tokens: 3, dIn: 8, n: 40, dOut: 3 }, 1],
    ['softmax', 'erf', { tokens: 5, dIn: 4, n: 17, dOut: 70 }, 16],
    ['l2NormGelu', 'erf', { tokens: 20, dIn: 16, n: 400, dOut: 700 }, 60],
  ] as const)('is the definition in float64, %s %s %o, k %i', (normActivation, gelu, sizes, strongest) => {
    const given = settings(normActivation, sizes.n, gelu);
    const output = sparsePattention(...inputs(sizes), given, strongest);
    expect(output.shape).toEqual([sizes.tokens, sizes.dOut]);
    // Measured 9e-7 at most.
    expect(relativeError(output.dataSync(), expectedOutput(sizes, given, strongest))).toBeLessThan(4e-6);
  });

  it.each([1, 6])('is the dense result of %i tokens when every parameter token is used', (tokens) => {
    const sizes = { tokens, dIn: 12, n: 50, dOut: 20 };
    const given = settings('l2NormGelu', sizes.n);
    const dense = pattention(...inputs(sizes), given).dataSync();
    const measured = relativeError(sparsePattention(...inputs(sizes), given, sizes.n).dataSync(), dense);
    // The same products, added in another order: measured 4e-7.
    expect(measured).toBeLessThan(2e-6);
  });

  it.each([1, 6])('keeps equal weights together, with %i tokens', (tokens) => {
    const [x] = inputs({ tokens, dIn: 4, n: 1, dOut: 1 });
    const key = randomValues(4, 'sparse', 'one key');
    // Three times the same key and a zero one: k = 2 uses the three.
    const keys = tf.tensor2d([...key, 0, 0, 0, 0, ...key, ...key], [4, 4]);
    const values = tf.tensor2d([1, 100, 2, 3], [4, 1]);
    const given = settings('l2NormGelu', 4);
    const dense = pattention(x, keys, values, given).dataSync();
    expect(relativeError(sparsePattention(x, keys, values, given, 2).dataSync(), dense)).toBeLessThan(1e-6);
  });

  it.each([1, 6])('gives zeros for %i tokens of zeros, and shows NaN', (tokens) => {
    const [x, keys, values] = inputs({ tokens, dIn: 5, n: 30, dOut: 7 });
    const given = settings('l2NormGelu', 30);
    const zeros = sparsePattention(tf.zerosLike(x), keys, values, given, 4).dataSync();
    expect([...zeros]).toEqual(new Array(tokens * 7).fill(0));
    const broken = tf.mul(x, Number.NaN) as tf.Tensor2D;
    const output = sparsePattention(broken, keys, values, given, 4).dataSync();
    expect([...output].every(Number.isNaN)).toBe(true);
  });

  it('refuses a gradient, and a k out of range', () => {
    const sizes = { tokens: 3, dIn: 4, n: 6, dOut: 2 };
    const [x, keys, values] = inputs(sizes);
    const given = settings('l2NormGelu', 6);
    expect(() => tf.grad((a) => sparsePattention(a as tf.Tensor2D, keys, values, given, 2))(x)).toThrow(
      'sparsePattention: expected inference, got a gradient',
    );
    for (const strongest of [0, 7, 1.5]) {
      expect(() => sparsePattention(x, keys, values, given, strongest)).toThrow('expected 1 to 6 parameter tokens');
    }
  });

  it('holds no memory', () => {
    const all = inputs({ tokens: 3, dIn: 4, n: 6, dOut: 2 });
    const run = (): void => sparsePattention(...all, settings('l2NormGelu', 6), 2).dispose();
    run();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) run();
    expect(tf.memory().numTensors).toBe(before);
  });
});
