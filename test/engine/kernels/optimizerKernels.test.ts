import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { adamWUpdate, squaredNorm } from '#src/kernels';
import {
  addon,
  describeCompiled,
  describeNative,
  differences,
  normalNumbers,
  resultsOf,
  resultsOn,
  sameBits,
} from '../../support/kernelComparison.js';

const counts = fc.array(fc.oneof(fc.constantFrom(0, 1, 16384, 16385, 50000), fc.integer({ min: 1, max: 200 })), {
  minLength: 1,
  maxLength: 6,
});

const SPECIAL = [0, -0, 1e-40, 3e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];

/** Values after one step on parameters made of `numbersOf(which, parameter)`. */
function updated(numbersOf: (which: number, i: number) => Float32Array, count: number, step: number): tf.Tensor[] {
  const parameters = Array.from({ length: count }, (_, i) => ({
    param: tf.variable(tf.tensor1d(numbersOf(0, i))),
    gradient: tf.tensor1d(numbersOf(1, i)),
    m: tf.variable(tf.tensor1d(numbersOf(2, i))),
    v: tf.variable(tf.square(tf.tensor1d(numbersOf(3, i)))),
    weightDecay: 0.1 * i,
  }));
  const settings = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, step, gradientScale: 0.7 };
  adamWUpdate(parameters, settings);
  const results = parameters.flatMap(({ param, gradient, m, v }) => [param, gradient, m, v].map((x) => x.clone()));
  for (const { param, m, v } of parameters) tf.dispose([param, m, v]);
  return results;
}

describeCompiled('AdamWUpdate', ['AdamWUpdate'], () => {
  it('agrees with the definition on parameters of any number and size', async () => {
    const check = fc.asyncProperty(counts, fc.integer({ min: 1, max: 1000 }), async (sizes, step) => {
      const numbersOf = (which: number, i: number): Float32Array => normalNumbers(10 * i + which, [sizes[i]]);
      // 4e-7 measured: products and sums are fused.
      for (const apart of await differences(() => updated(numbersOf, sizes.length, step))) {
        expect(apart).toBeLessThan(2e-6);
      }
    });
    await fc.assert(check, { numRuns: 20, seed: 10 });
  });

  it('carries special numbers as the definition does', async () => {
    const numbersOf = (which: number, i: number): Float32Array =>
      Float32Array.from({ length: 49 }, (_, j) => (which === i ? SPECIAL[j % 7] : (j + 1) / 8));
    const [actual, expected] = [
      await resultsOf(() => updated(numbersOf, 4, 3)),
      await resultsOn('cpu', () => updated(numbersOf, 4, 3)),
    ];
    const kind = (x: number): number => (Number.isFinite(x) ? 0 : x);
    for (const [i, numbers] of expected.entries()) {
      // A fused product may stay finite where one rounded first is at the edge of float32.
      const near = Array.from(numbers, (x, j) => (Math.abs(x) > 1e38 || Math.abs(actual[i][j]) > 1e38 ? -1 : kind(x)));
      expect(Array.from(actual[i], (x, j) => (near[j] === -1 ? -1 : kind(x)))).toEqual(near);
    }
  });
});

describeCompiled('SquaredNorm', ['SquaredNorm'], () => {
  it('agrees with a sum in double precision', async () => {
    const check = fc.asyncProperty(counts, async (sizes) => {
      const arrays = sizes.map((size, i) => normalNumbers(i, [size], 3));
      const exact = arrays.reduce((sum, array) => array.reduce((total, x) => total + x * x, sum), 0);
      const [norm] = await resultsOf(() => [squaredNorm(arrays.map((array) => tf.tensor1d(array)))]);
      // One rounding, to float32.
      expect(Math.abs(norm[0] - exact)).toBeLessThanOrEqual(6e-8 * exact);
    });
    await fc.assert(check, { numRuns: 20, seed: 11 });
  });
});

describeNative('optimizer kernels', () => {
  afterAll(() => {
    addon?.setThreads(2);
  });

  it('AdamWUpdate gives the same bits at any number of threads', async () => {
    const numbersOf = (which: number, i: number): Float32Array => normalNumbers(10 * i + which, [[40000, 3, 17000][i]]);
    addon!.setThreads(1);
    const expected = await resultsOn('native', () => updated(numbersOf, 3, 2));
    for (const threads of [2, 3, 7]) {
      addon!.setThreads(threads);
      expect(sameBits(await resultsOn('native', () => updated(numbersOf, 3, 2)), expected)).toBe(true);
    }
    addon!.setThreads(2);
  });

  it('SquaredNorm is finite as long as float32 holds it, and the same bits at any number of threads', async () => {
    await selectEngine('native');
    const tensors = [3e5, 17, 1].map((size, i) => tf.tensor1d(normalNumbers(i, [size], 1e16)));
    const norms = [1, 2, 3, 8].map((threads) => {
      addon!.setThreads(threads);
      return squaredNorm(tensors).dataSync()[0];
    });
    expect(norms[0]).toBeGreaterThan(1e37);
    expect(norms).toEqual(new Array(4).fill(norms[0]));
    tf.dispose(tensors);
  });
});
