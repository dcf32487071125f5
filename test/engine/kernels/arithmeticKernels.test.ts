import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import {
  describeKernels,
  describeNative,
  differences,
  normalNumbers,
  resultsOf,
  startEngine,
} from '../../support/kernelComparison.js';

describeKernels('elementary functions', ['Exp', 'Erf', 'Tanh'], () => {
  // Against double precision, relative; measured 1.2e-7, 3.6e-7, 3.8e-7. The cpu backend's erf errs by 1.5e-7 absolute.
  const functions = [
    { name: 'exp', apply: tf.exp, exact: Math.exp, tolerance: 2e-7 },
    { name: 'tanh', apply: tf.tanh, exact: Math.tanh, tolerance: 5e-7 },
    { name: 'erf', apply: tf.erf, exact: erf, tolerance: 5e-7 },
  ] as const;

  it.each(functions)('$name is precise over its whole range', async ({ apply, exact, tolerance }) => {
    for (const step of [0.043, 0.002, 1e-6]) {
      const numbers = Float32Array.from({ length: 4003 }, (_, i) => (i - 2001) * step);
      const [values] = await resultsOf(() => [apply(tf.tensor1d(numbers))]);
      for (const [i, x] of numbers.entries()) {
        // What is too small for a normal float32 is 0.
        const truth = exact(x);
        const apart = Math.abs(truth) < 2.5e-38 ? values[i] : values[i] / truth - 1;
        expect(Math.abs(apart)).toBeLessThan(tolerance);
      }
    }
  });

  it('carries infinities and NaN', async () => {
    const special = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    const results = await resultsOf(() => functions.map(({ apply }) => apply(tf.tensor1d(special))));
    expect([...results[0]]).toEqual([Number.POSITIVE_INFINITY, 0, Number.NaN]);
    for (const [high, low, none] of results.slice(1)) {
      expect(high).toBeCloseTo(1, 6);
      expect(low).toBeCloseTo(-1, 6);
      expect(none).toBeNaN();
    }
  });
});

describeNative('logarithms', () => {
  // Against double precision, relative; measured 1.8e-7 and 2.6e-7.
  const logarithms = [
    { name: 'log', apply: tf.log, exact: Math.log, tolerance: 3e-7 },
    { name: 'log1p', apply: tf.log1p, exact: Math.log1p, tolerance: 4e-7 },
  ] as const;

  it.each(logarithms)('$name is precise for numbers of any size', async ({ name, apply, exact, tolerance }) => {
    const near = Float32Array.from({ length: 4003 }, (_, i) => (i + 1) * 7e-4);
    const sizes = Float32Array.from({ length: 4003 }, (_, i) => 1.0443 ** (i - 2001));
    const below = name === 'log1p' ? near.map((x) => -x / 2.9) : [];
    const numbers = [...near, ...sizes, ...below].filter((x) => (x > 0 ? Number.isFinite(x) : x > -1));
    const [values] = await resultsOf(() => [apply(tf.tensor1d(numbers))]);
    for (const [i, x] of numbers.entries()) {
      const truth = exact(Math.fround(x));
      expect(Math.abs(values[i] - truth)).toBeLessThanOrEqual(tolerance * Math.abs(truth));
    }
    const special = [0, -0, -1, -2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e-40];
    const [edges] = await resultsOf(() => [apply(tf.tensor1d(special))]);
    for (const [i, x] of special.entries()) {
      if (Math.abs(x) === 1e-40) expect(Math.abs(edges[i] / exact(Math.fround(x)) - 1)).toBeLessThan(tolerance);
      else expect(edges[i] + 0).toBe(exact(x) + 0);
    }
  });
});

/** Maclaurin series below 3, continued fraction of erfc above; double precision. */
function erf(x: number): number {
  if (Math.abs(x) < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let tail = 0;
  for (let k = 60; k > 0; k--) tail = k / 2 / (Math.abs(x) + tail);
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + tail));
}

describeKernels('Sum', ['Sum'], () => {
  it.each([[0], [0, 1], [1], [2], [0, 1, 2], [0, 2]].map((axes) => ({ axes })))(
    'agrees along axes $axes',
    async ({ axes }) => {
      const numbers = normalNumbers(1, [7, 6, 9]);
      for (const keepDims of [false, true]) {
        const apart = await differences(() => [tf.sum(tf.tensor3d(numbers, [7, 6, 9]), axes, keepDims)]);
        expect(apart[0]).toBeLessThan(1e-6); // sums in another order
        await startEngine();
        expect(tf.sum(tf.tensor3d(numbers, [7, 6, 9]), axes, keepDims).shape).toEqual(
          [7, 6, 9].flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size])),
        );
      }
    },
  );
});

describeKernels('UnsortedSegmentSum', ['UnsortedSegmentSum'], () => {
  it('sums rows as the cpu backend does, ids out of range left out', async () => {
    const sizes = fc.record({
      rows: fc.integer({ min: 1, max: 40 }),
      width: fc.constantFrom(1, 3, 4, 33),
      segments: fc.integer({ min: 1, max: 12 }),
      dtype: fc.constantFrom('float32' as const, 'int32' as const),
    });
    const check = fc.asyncProperty(sizes, async ({ rows, width, segments, dtype }) => {
      const random = createRandom(7, rows, width);
      const ids = Int32Array.from({ length: rows }, () => random.integer(segments + 2) - 1);
      const numbers = normalNumbers(1, [rows, width], 10);
      const apart = await differences(() => [
        tf.unsortedSegmentSum(tf.cast(tf.tensor2d(numbers, [rows, width]), dtype), tf.tensor1d(ids, 'int32'), segments),
      ]);
      expect(apart[0]).toBeLessThan(1e-6); // sums in another order
    });
    await fc.assert(check, { numRuns: 40, seed: 12 });
  });

  it('is the gradient of a gather', async () => {
    const table = normalNumbers(1, [6, 5]);
    const [gradient] = await resultsOf(() => [
      tf.grad((t) =>
        tf.gather(
          t,
          tf.tensor2d(
            [
              [1, 1],
              [4, 1],
            ],
            [2, 2],
            'int32',
          ),
        ),
      )(tf.tensor2d(table, [6, 5])),
    ]);
    expect([...gradient]).toEqual([0, 3, 0, 0, 1, 0].flatMap((count) => Array(5).fill(count)));
  });
});
