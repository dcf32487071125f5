import fc from 'fast-check';
import { expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { softmaxCrossEntropy } from '#src/kernels';
import { createRandom } from '#src/random';
import {
  describeNative,
  differences,
  normalNumbers,
  relativeDifference,
  resultsOn,
} from '../../support/kernelComparison.js';

const SPECIAL = [0, -0, 1, -1, 1e-40, -3e38, 3e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];

const unary = {
  square: tf.square,
  sqrt: tf.sqrt,
  rsqrt: tf.rsqrt,
  neg: tf.neg,
  abs: tf.abs,
  relu: tf.relu,
  sigmoid: tf.sigmoid,
  reciprocal: tf.reciprocal,
  step: (x: tf.Tensor) => tf.step(x),
  stepToMinusOne: (x: tf.Tensor) => tf.step(x, -1),
  stepToTwo: (x: tf.Tensor) => tf.step(x, 2),
} as const;

const binary = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
} as const;

describeNative('functions of one number', () => {
  it.each(Object.keys(unary) as (keyof typeof unary)[])('%s agrees on any length', async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.integer({ min: 0, max: 70 }), fc.constantFrom(16384, 40001)), async (count) => {
        const numbers = normalNumbers(1, [count]).map((x) => (name.includes('sqrt') ? Math.abs(x) : x));
        const apart = await differences(() => [unary[name](tf.tensor1d(numbers))]);
        expect(apart[0]).toBeLessThan(5e-7);
      }),
      { numRuns: 15, seed: 1 },
    );
  });

  it.each(['square', 'sqrt', 'neg', 'abs', 'reciprocal', 'step', 'stepToMinusOne'] as const)(
    '%s of special numbers is the same',
    async (name) => {
      const compute = () => [unary[name](tf.tensor1d(SPECIAL))];
      expect((await resultsOn('native', compute))[0]).toEqual((await resultsOn('cpu', compute))[0]);
    },
  );
});

describeNative('functions of two numbers', () => {
  it.each(Object.keys(binary) as (keyof typeof binary)[])('%s broadcasts as on cpu', async (name) => {
    const shape = fc.array(fc.constantFrom(1, 2, 3, 17), { minLength: 0, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(shape, fc.nat(), async (sizes, seed) => {
        const random = createRandom(seed);
        const shrunk = (): number[] =>
          sizes.map((size) => (random.uniform() < 0.4 ? 1 : size)).slice(random.integer(sizes.length + 1));
        const [a, b] = random.uniform() < 0.5 ? [sizes, shrunk()] : [shrunk(), sizes];
        const [left, right] = [normalNumbers(1, a), normalNumbers(2, b).map((x) => x + Math.sign(x))];
        const apart = await differences(() => [binary[name](tf.tensor(left, a), tf.tensor(right, b))]);
        expect(apart[0]).toBeLessThan(2e-7);
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  it('agrees on special numbers, each with each', async () => {
    const compute = () =>
      (['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const).map((name) =>
        binary[name](tf.tensor2d(SPECIAL, [10, 1]), tf.tensor1d(SPECIAL)),
      );
    const [actual, expected] = [await resultsOn('native', compute), await resultsOn('cpu', compute)];
    for (const [i, numbers] of expected.entries()) {
      // Which of 0 and −0 is the larger is left open.
      expect([...actual[i]].map((x) => x + 0)).toEqual([...numbers].map((x) => x + 0));
    }
  });

  it('of int32 stays int32', async () => {
    const [sum] = await resultsOn('native', () => [tf.add(tf.scalar(2 ** 30, 'int32'), tf.scalar(3, 'int32'))]);
    expect(sum).toEqual(Int32Array.of(2 ** 30 + 3));
  });

  it.each(['add', 'sub', 'maximum', 'minimum'] as const)('%s of int32 is exact and wraps around', async (name) => {
    // Among them the bits of −0, NaN (quiet and signalling) and denormal numbers.
    const special = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 0x7fc00001, 0x7f800001, 0x007fffff, -0x7fffff, 77777777];
    for (const count of [1, 3, 10, 40]) {
      const numbers = Int32Array.from({ length: count }, (_, i) => special[i % special.length]);
      const compute = () =>
        special.flatMap((value) => [
          binary[name](tf.tensor1d(numbers, 'int32'), tf.scalar(value, 'int32')),
          binary[name](tf.tensor2d([value, value - 1], [2, 1], 'int32'), tf.tensor1d(numbers, 'int32')),
          binary[name](
            tf.tensor1d(numbers, 'int32'),
            tf.tensor1d(
              numbers.map((x) => x ^ value),
              'int32',
            ),
          ),
        ]);
      expect(await resultsOn('native', compute)).toEqual(await resultsOn('cpu', compute));
    }
  });

  it('many tensors add up as on cpu', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.constantFrom(0, 1, 33, 40000), async (terms, size) => {
        const apart = await differences(() => {
          const tensors = Array.from({ length: terms }, (_, i) => tf.tensor1d(normalNumbers(i, [size])));
          return [tf.addN(tensors), ...tensors];
        });
        expect(Math.max(...apart)).toBe(0);
      }),
      { numRuns: 15, seed: 6 },
    );
    const ints = await resultsOn('native', () => [
      tf.addN([tf.tensor1d([1, 2], 'int32'), tf.tensor1d([3, 4], 'int32')]),
    ]);
    expect(ints).toEqual([Int32Array.of(4, 6)]);
  });
});

describeNative('sums and softmax', () => {
  it('Sum and Mean agree along any axes', async () => {
    const shape = fc.array(fc.constantFrom(1, 2, 5, 19), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(shape, fc.nat(), fc.boolean(), async (sizes, seed, keepDims) => {
        const random = createRandom(seed);
        const axes = sizes.map((_, axis) => axis).filter(() => random.uniform() < 0.5);
        const numbers = normalNumbers(1, sizes);
        const compute = () => {
          const x = tf.tensor(numbers, sizes);
          return axes.length === 0 ? [tf.sum(x)] : [tf.sum(x, axes, keepDims), tf.mean(x, axes, keepDims)];
        };
        for (const apart of await differences(compute)) expect(apart).toBeLessThan(5e-6); // sums in another order
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('a sum of a million numbers is precise', async () => {
    const numbers = normalNumbers(1, [1000003]);
    const [sum] = await resultsOn('native', () => [tf.sum(tf.tensor1d(numbers))]);
    const exact = numbers.reduce((total, x) => total + x, 0);
    expect(Math.abs(sum[0] - exact)).toBeLessThan(1e-3);
  });

  it('softmax agrees, NaN and large numbers included', async () => {
    for (const width of [1, 3, 16, 200]) {
      const numbers = normalNumbers(1, [9, width], 5).map((x, i) => (i === 0 ? 1e4 : x));
      const apart = await differences(() => [tf.softmax(tf.tensor2d(numbers, [9, width]))]);
      expect(apart[0]).toBeLessThan(1e-6);
    }
    const [row] = await resultsOn('native', () => [tf.softmax(tf.tensor1d([1, Number.NaN, 2]))]);
    expect([...row]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it('argMax takes the first of the largest, as the cpu backend does, any axis', async () => {
    const special = [...SPECIAL, 2, 2, 1, 5];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 1, max: 70 }),
        fc.nat(),
        async (rows, n, seed) => {
          const random = createRandom(seed);
          const numbers = Array.from({ length: rows * n }, () => special[random.integer(special.length)]);
          const compute = () => [
            tf.argMax(tf.tensor2d(numbers, [rows, n]), 1),
            tf.argMax(tf.tensor1d([...numbers, 0])),
          ];
          expect(await resultsOn('native', compute)).toEqual(await resultsOn('cpu', compute));
        },
      ),
      { numRuns: 60, seed: 5 },
    );
    const apart = await differences(() => {
      const x = tf.tensor3d(normalNumbers(1, [3, 4, 5]), [3, 4, 5]);
      return [tf.argMax(x, 0), tf.argMax(x, 1), tf.argMax(x, 2), tf.argMax(tf.cast(x, 'int32'), 2)];
    });
    expect(apart).toEqual([0, 0, 0, 0]);
  });

  it('a diverged loss is NaN, not a number', async () => {
    const [losses] = await resultsOn('native', () => [
      softmaxCrossEntropy(
        tf.tensor2d([
          [1, Number.NaN],
          [1, 2],
        ]),
        tf.tensor1d([0, 0], 'int32'),
        tf.tensor1d([1, 1]),
      ),
    ]);
    expect(losses[0]).toBeNaN();
    expect(losses[1]).toBeCloseTo(Math.log(1 + Math.E), 5);
  });
});

describeNative('joining and casting', () => {
  it('concat and stack agree along any axis', async () => {
    const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.nat(),
        fc.constantFrom('float32' as const, 'int32' as const),
        async (sizes, n, dtype) => {
          const axis = n % sizes.length;
          const compute = () => {
            const x = tf.reshape(tf.range(0, tf.util.sizeFromShape(sizes), 1, dtype), sizes);
            const y = tf.neg(tf.concat([x, x], axis));
            return [tf.concat([x, y, x], axis), tf.stack([x, tf.neg(x)], axis), tf.stack([x, x], sizes.length)];
          };
          expect(await differences(compute)).toEqual([0, 0, 0]);
        },
      ),
      { numRuns: 50, seed: 4 },
    );
  });

  it('a cast gives numbers of its kind', async () => {
    await selectEngine('native');
    tf.tidy(() => {
      expect(tf.cast(tf.tensor1d([1, -2], 'int32'), 'float32').dataSync()).toEqual(Float32Array.of(1, -2));
      expect(tf.cast(tf.tensor1d([true, false], 'bool'), 'float32').dataSync()).toEqual(Float32Array.of(1, 0));
      expect(tf.cast(tf.tensor1d([1.9, -1.9]), 'int32').dataSync()).toEqual(Int32Array.of(1, -1));
      expect(tf.cast(tf.tensor1d([0.5, 0]), 'bool').dataSync()).toEqual(Uint8Array.of(1, 0));
    });
  });

  it('agrees with itself when a vector is cut at any place', async () => {
    const numbers = normalNumbers(1, [100]);
    const [whole] = await resultsOn('native', () => [tf.tanh(tf.exp(tf.tensor1d(numbers)))]);
    for (const cut of [1, 15, 16, 17, 50, 99]) {
      const [joined] = await resultsOn('native', () => {
        const parts = tf.split(tf.tensor1d(numbers), [cut, 100 - cut]);
        return [tf.concat(parts.map((part) => tf.tanh(tf.exp(part))))];
      });
      expect(relativeDifference(joined, whole)).toBe(0);
    }
  });
});
