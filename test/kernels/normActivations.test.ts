import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import {
  findNormActivation,
  type NormActivation,
  normActivationNames,
  type PattentionSettings,
  parameterWeights,
} from '#src/kernels';
import { parameterWeightsGradient } from '../../src/kernels/pattention/gradient.js';
import { describeEachEngine } from '../engine/eachEngine.js';
import { relativeError } from '../support/closeness.js';
import { dot } from '../support/dot.js';
import { directionalDerivative } from '../support/float64.js';
import { randomValues } from '../support/randomValues.js';

const [tokens, n] = [4, 7];
const names = [...normActivationNames(), 'linear'];
const as = randomValues(tokens * n, 'normActivations', 'scores');
const dss = randomValues(tokens * n, 'normActivations', 'dWeights');
const scores = (): tf.Tensor2D => tf.tensor2d(as, [tokens, n]);
const dWeights = (): tf.Tensor2D => tf.tensor2d(dss, [tokens, n]);
const allFinite = (tensor: tf.Tensor): boolean => [...tensor.dataSync()].every(Number.isFinite);

/** Every Θ with both GELUs, at a τ that is not the one of its rule. */
const cases = names.flatMap((normActivation) =>
  (['erf', 'tanh'] as const).map((gelu): [string, PattentionSettings] => [
    `${normActivation}, ${gelu}`,
    { normActivation, gelu, epsilon: gelu === 'erf' ? 0 : 1e-2, tau: 1.7 },
  ]),
);

beforeAll(() => {
  // `divNoNan` compares, and TensorFlow.js lacks the gradient of a comparison, which is 0.
  const gradFunc = (dOutput: tf.Tensor | tf.Tensor[]) => ({
    a: () => tf.zerosLike(dOutput as tf.Tensor),
    b: () => tf.zerosLike(dOutput as tf.Tensor),
  });
  tf.registerGradient({ kernelName: 'Equal', gradFunc });
});

describeEachEngine('each norm activation', () => {
  it.each(cases)('has the gradient that automatic differentiation gives: %s', (_, settings) => {
    const closed = parameterWeightsGradient(dWeights(), scores(), settings);
    // The clone, because the identity is no operation to differentiate.
    const automatic = tf.grad((a) => parameterWeights(tf.clone(a), settings))(scores(), dWeights());
    // Measured 1.5e-7.
    expect(relativeError(closed.dataSync(), automatic.dataSync())).toBeLessThan(1.5e-6);
  });

  it.each(cases)('has the slope of a central difference: %s', (_, settings) => {
    const direction = randomValues(as.length, 'normActivations', 'direction');
    const f = (values: Float64Array): number =>
      dot(parameterWeights(tf.tensor2d(Float32Array.from(values), [tokens, n]), settings).dataSync(), dss);
    const gradient = parameterWeightsGradient(dWeights(), scores(), settings).dataSync();
    // Θ is computed in float32, so the step is wide. Measured 1.3e-5.
    expect(relativeError([dot(gradient, direction)], [directionalDerivative(f, as, direction, 0.03)])).toBeLessThan(
      1e-4,
    );
  });

  it.each(cases)('is finite, and so is its gradient, for a row of zeros: %s', (_, settings) => {
    const withZeros = tf.concat([tf.zeros([1, n]), tf.slice(scores(), [1, 0])]); // [tokens, n]
    expect(allFinite(parameterWeights(withZeros, settings))).toBe(true);
    expect(allFinite(parameterWeightsGradient(dWeights(), withZeros, settings))).toBe(true);
  });
});

describe('the table of norm activations', () => {
  beforeAll(async () => {
    await selectEngine('cpu');
  });

  it('holds the three of the official code, and for single groups the identity', () => {
    expect(normActivationNames()).toEqual(['l2NormGelu', 'geluL2Norm', 'softmax']);
    expect(findNormActivation('linear').weights(scores(), { gelu: 'erf', epsilon: 0, tau: 3 }).dataSync()).toEqual(as);
  });

  it.each(names)('says whether tokens with zero keys leave %s as it was', (normActivation) => {
    const { exactZeroKeys } = findNormActivation(normActivation);
    const row = fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 1, maxLength: 12 });
    const settings = fc.record({
      normActivation: fc.constant(normActivation),
      gelu: fc.constantFrom('erf' as const, 'tanh' as const),
      epsilon: fc.constantFrom(0, 1e-5, 0.1),
      tau: fc.double({ min: 0.5, max: 10, noNaN: true }),
    });
    fc.assert(
      fc.property(row, fc.integer({ min: 1, max: 9 }), settings, (values, zeros, given) => {
        const weightsOf = (all: number[]): number[] =>
          tf.tidy(() => [...parameterWeights(tf.tensor2d([all]), given).dataSync()]);
        const before = weightsOf(values);
        const after = weightsOf([...values, ...new Array<number>(zeros).fill(0)]);
        const kept = relativeError(after.slice(0, values.length), before) < 1e-6;
        const silent = after.slice(values.length).every((weight) => weight === 0);
        expect([kept, silent]).toEqual([exactZeroKeys, exactZeroKeys]);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['l2NormGelu', 3],
    ['geluL2Norm', 3],
    ['softmax', 9],
  ])('gives a new group of 9 tokens under %s τ = %d', (name, tau) => {
    expect(findNormActivation(name).tau(9)).toBe(tau);
  });

  it.each(['l2NormGelu', 'geluL2Norm'])(
    'gives groups under one norm, %s, the τ of a group of all their tokens',
    (name) => {
      const { tau, unionTau } = findNormActivation(name) as Required<NormActivation>;
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 4 }), (sizes) => {
          const all = sizes.reduce((sum, size) => sum + size);
          expect(unionTau(sizes.map(tau))).toBeCloseTo(tau(all), 9);
        }),
      );
    },
  );

  it.each(['softmax', 'linear'])('has no such τ for %s', (name) => {
    expect(findNormActivation(name).unionTau).toBeUndefined();
  });

  it('names the known ones, and the nearest, for one that is none of them', () => {
    const settings = { normActivation: 'l2NormGeluu', gelu: 'erf', epsilon: 0, tau: 1 } as const;
    expect(() => parameterWeights(scores(), settings)).toThrow(
      "normActivation: expected l2NormGelu, geluL2Norm, softmax; got 'l2NormGeluu' (did you mean 'l2NormGelu'?)",
    );
  });
});
