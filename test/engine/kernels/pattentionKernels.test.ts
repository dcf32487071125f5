import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { gelu, type PattentionSettings, pattention, pattentionGroups, pattentionGroupsReference } from '#src/kernels';
import { describeKernels, differences, normalNumbers, resultsOf, startEngine } from '../../support/kernelComparison.js';

// Of output and gradients alike. Against double precision at [200, 96], n 384: 6e-7 to 8e-7, with softmax up to 1.2e-6.
const TOLERANCE = 2e-6;
// Odd sizes down to 1 leave gradients that are differences of much larger numbers; the largest measured is 4e-6.
const TOLERANCE_ODD = 1e-5;

/** The definition for rows that are not zero, of operations that can be differentiated (divNoNan cannot). */
function plainPattention(x: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, settings: PattentionSettings): tf.Tensor {
  const { normActivation, epsilon, tau, gelu: form } = settings;
  const scores = tf.matMul(x, keys, false, true);
  const normed = (t: tf.Tensor): tf.Tensor =>
    tf.div(tf.mul(t, tau), tf.add(tf.sqrt(tf.sum(tf.square(t), -1, true)), epsilon));
  if (normActivation === 'softmax') return tf.matMul(tf.mul(tf.softmax(scores), tau), values);
  const weights = normActivation === 'l2NormGelu' ? gelu(normed(scores), form) : normed(gelu(scores, form));
  return tf.matMul(weights, values);
}

interface Sizes {
  tokens: number;
  dIn: number;
  n: number;
  dOut: number;
}

/** Output and gradients of x, keys, values; by the fused op, or by automatic differentiation of the definition. */
function outputAndGradients(sizes: Sizes, settings: PattentionSettings, plain: boolean): () => tf.Tensor[] {
  const { tokens, dIn, n, dOut } = sizes;
  const shapes: [number, number][] = [
    [tokens, dIn],
    [n, dIn],
    [n, dOut],
  ];
  // Scores of order 1.
  const arrays = shapes.map((shape, i) => normalNumbers(i, shape, i === 1 ? 1 / Math.sqrt(dIn) : 1));
  const weight = normalNumbers(9, [tokens, dOut]);
  return () => {
    const [x, keys, values] = arrays.map((array, i) => tf.tensor2d(array, shapes[i]));
    const apply = (...[a, b, c]: tf.Tensor[]): tf.Tensor =>
      plain
        ? plainPattention(a, b, c, settings)
        : pattention(a as tf.Tensor2D, b as tf.Tensor2D, c as tf.Tensor2D, settings);
    const output = apply(x, keys, values);
    const gradients = tf.grads((...args: tf.Tensor[]) => apply(...args))(
      [x, keys, values],
      tf.tensor2d(weight, [tokens, dOut]),
    );
    return [output, ...gradients];
  };
}

const settingsOf = (
  normActivation: PattentionSettings['normActivation'],
  gelu: 'erf' | 'tanh',
  epsilon: number,
  n: number,
) => ({
  normActivation,
  gelu,
  epsilon,
  tau: normActivation === 'softmax' ? n : Math.sqrt(n),
});

describeKernels('Pattention', ['Pattention', 'PattentionGrad'], () => {
  it('agrees with the definition and its automatic gradient, any size and mode', async () => {
    const size = fc.oneof(fc.constantFrom(1, 7, 33), fc.integer({ min: 2, max: 120 }));
    const sizes = fc.record({ tokens: size, dIn: size, n: size, dOut: size });
    const mode = fc.constantFrom('l2NormGelu' as const, 'geluL2Norm' as const, 'softmax' as const);
    const form = fc.constantFrom('erf' as const, 'tanh' as const);
    const check = fc.asyncProperty(sizes, mode, form, fc.constantFrom(0, 1e-5), async (shape, norm, gelu, epsilon) => {
      // The norm of a few GELUs may be tiny, with the error of 1 + erf in it.
      fc.pre(norm !== 'geluL2Norm' || shape.n > 5);
      const settings = settingsOf(norm, gelu, epsilon, shape.n);
      const apart = await differences(
        outputAndGradients(shape, settings, false),
        outputAndGradients(shape, settings, true),
        1,
        JSON.stringify([shape, settings]),
      );
      // With one parameter token or one input, the weights do not depend on the size of key or x: dX and dK are
      // (nearly) zero but for rounding.
      const compared = shape.n === 1 || shape.dIn === 1 ? [0, 3] : [0, 1, 2, 3];
      for (const i of compared) expect(apart[i]).toBeLessThan(TOLERANCE_ODD);
    });
    await fc.assert(check, { numRuns: 60, seed: 5 });
  });

  it.each(['l2NormGelu', 'geluL2Norm', 'softmax'] as const)('agrees over several blocks of rows, %s', async (mode) => {
    const sizes = { tokens: 205, dIn: 40, n: 1030, dOut: 17 };
    const settings = settingsOf(mode, 'erf', 0, sizes.n);
    const apart = await differences(
      outputAndGradients(sizes, settings, false),
      outputAndGradients(sizes, settings, true),
      0,
      JSON.stringify([sizes, settings]),
    );
    for (const difference of apart) expect(difference).toBeLessThan(TOLERANCE);
  });

  it.each(['l2NormGelu', 'geluL2Norm'] as const)(
    'a row of zeros gives zeros and finite gradients, %s',
    async (mode) => {
      const settings = settingsOf(mode, 'erf', 0, 12);
      const results = await resultsOf(() => {
        const keys = tf.tensor2d(normalNumbers(1, [12, 5]), [12, 5]);
        const values = tf.tensor2d(normalNumbers(2, [12, 6]), [12, 6]);
        const apply = (x: tf.Tensor): tf.Tensor => pattention(x as tf.Tensor2D, keys, values, settings);
        return [apply(tf.zeros([3, 5])), tf.grad(apply)(tf.zeros([3, 5]))];
      });
      expect([...results[0]]).toEqual(Array(18).fill(0));
      expect([...results[1]].every(Number.isFinite)).toBe(true);
    },
  );

  it.each([
    [true, false],
    [false, true],
  ])('computes only the wanted gradients: input %s, params %s', async (input, params) => {
    const settings = settingsOf('l2NormGelu', 'erf', 0, 20);
    const shapes: [number, number][] = [
      [30, 8],
      [20, 8],
      [20, 10],
    ];
    const compute = (want: { input: boolean; params: boolean }) => () => {
      const [x, keys, values] = shapes.map(
        (shape, i) => tf.variable(tf.tensor2d(normalNumbers(i, shape), shape)) as tf.Tensor2D,
      );
      const { grads } = tf.variableGrads(
        () => tf.sum(tf.square(pattention(x, keys, values, settings, want))) as tf.Scalar,
      );
      return Object.values(grads);
    };
    const all = await resultsOf(compute({ input: true, params: true }));
    const some = await resultsOf(compute({ input, params }));
    expect(some).toEqual(input ? all.slice(0, 1) : all.slice(1));
  });

  it.each([2, 150])('of several groups at once is the sum of each, %s tokens', async (tokens) => {
    // One group of more than one block of depth, and a small one.
    const shapes: [number, number][] = [
      [tokens, 21],
      [500, 21],
      [500, 35],
      [13, 21],
      [13, 35],
    ];
    const arrays = shapes.map((shape, i) => normalNumbers(i, shape, i === 1 || i === 3 ? 0.2 : 1));
    const weight = normalNumbers(9, [tokens, 35]);
    const { tau, ...settings } = settingsOf('l2NormGelu', 'erf', 1e-5, 30);
    const compute = (op: typeof pattentionGroups) => () => {
      const inputs = arrays.map((array, i) => tf.tensor2d(array, shapes[i]));
      const apply = (...[x, ...rest]: tf.Tensor[]): tf.Tensor =>
        op(
          x as tf.Tensor2D,
          [0, 2].map((at) => {
            const [keyParamTokens, valueParamTokens] = rest.slice(at, at + 2) as tf.Tensor2D[];
            return { keyParamTokens, valueParamTokens, tau: tau + at, trainable: true };
          }),
          settings,
        );
      return [apply(...inputs), ...tf.grads(apply)(inputs, tf.tensor2d(weight, [tokens, 35]))];
    };
    const apart = await differences(compute(pattentionGroups), compute(pattentionGroupsReference), 0);
    // Measured 1e-6.
    for (const difference of apart) expect(difference).toBeLessThan(TOLERANCE);
  });

  it.each(['l2NormGelu', 'geluL2Norm', 'softmax'] as const)(
    'leaves out tokens whose gradient is zero, %s',
    async (mode) => {
      // More tokens with a gradient than a chunk holds, and none at all.
      const check = fc.asyncProperty(
        fc.record({
          tokens: fc.constantFrom(1, 5, 40, 1100),
          dIn: fc.constantFrom(3, 32, 50),
          n: fc.constantFrom(12, 65),
          dOut: fc.constantFrom(1, 16, 37),
        }),
        fc.constantFrom(0, 0.3, 0.8, 0.95),
        fc.boolean(),
        async ({ tokens, dIn, n, dOut }, share, input) => {
          const { tau, ...settings } = settingsOf(mode, 'erf', 1e-5, n);
          const weight = normalNumbers(9, [tokens, dOut]);
          const draws = normalNumbers(10, [tokens]);
          for (let t = 0; t < tokens; t++) if (draws[t] > 1 - 2 * share) weight.fill(0, t * dOut, (t + 1) * dOut);
          const shapes: [number, number][] = [
            [tokens, dIn],
            ...[n, 2 * n].flatMap((rows): [number, number][] => [
              [rows, dIn],
              [rows, dOut],
            ]),
          ];
          const arrays = shapes.map((shape, i) => normalNumbers(i, shape, i % 2 === 1 ? 1 / Math.sqrt(dIn) : 1));
          const compute = (plain: boolean) => () => {
            const [x, ...params] = arrays.map((array, i) => tf.tensor2d(array, shapes[i]));
            const apply = (...tensors: tf.Tensor[]): tf.Tensor => {
              const [a, ...rest] = input ? tensors : [x, ...tensors];
              const groups = [0, 2].map((at) => {
                const [keyParamTokens, valueParamTokens] = rest.slice(at, at + 2) as tf.Tensor2D[];
                return { keyParamTokens, valueParamTokens, tau, trainable: true };
              });
              if (!plain) return pattentionGroups(a as tf.Tensor2D, groups, settings, input);
              const outputs = groups.map(({ keyParamTokens, valueParamTokens }) =>
                plainPattention(a, keyParamTokens, valueParamTokens, { ...settings, tau }),
              );
              return tf.add(outputs[0], outputs[1]);
            };
            return tf.grads(apply)(input ? [x, ...params] : params, tf.tensor2d(weight, [tokens, dOut]));
          };
          const name = `groups ${JSON.stringify([mode, tokens, dIn, n, dOut, share, input])}`;
          const apart = await differences(compute(false), compute(true), 1, name);
          for (const difference of apart) expect(difference).toBeLessThan(TOLERANCE_ODD);
        },
      );
      await fc.assert(check, { numRuns: 25, seed: 6 });
    },
  );

  it('leaves memory as it was', async () => {
    await startEngine();
    const compute = outputAndGradients(
      { tokens: 20, dIn: 8, n: 12, dOut: 8 },
      settingsOf('l2NormGelu', 'erf', 0, 12),
      false,
    );
    const step = (): void => tf.tidy(() => void compute());
    step();
    const before = tf.memory();
    for (let i = 0; i < 100; i++) step();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
  });
});
