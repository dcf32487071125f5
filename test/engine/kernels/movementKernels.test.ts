import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import {
  describeKernels,
  describeNative,
  differences,
  resultsOf,
  startEngine,
  typesOf,
} from '../../support/kernelComparison.js';

const shapes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });
const dtypes = fc.constantFrom('float32' as const, 'int32' as const, 'bool' as const);

function counted(shape: number[], dtype: 'float32' | 'int32' | 'bool'): tf.Tensor {
  const numbers = tf.range(0, tf.util.sizeFromShape(shape), 1, 'int32');
  return tf.reshape(
    dtype === 'bool' ? tf.cast(tf.mod(numbers, tf.scalar(3, 'int32')), 'bool') : tf.cast(numbers, dtype),
    shape,
  );
}

/** The results agree in every number, and in shape and type. */
async function expectSame(compute: () => tf.Tensor[]): Promise<void> {
  for (const apart of await differences(compute)) expect(apart).toBe(0);
  const { actual, expected } = await typesOf(compute);
  expect(actual).toEqual(expected);
}

describeKernels('Transpose', ['Transpose'], () => {
  it('moves every number as the cpu backend does, any permutation of up to four axes', async () => {
    const shape = fc.array(fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom(33, 40)), {
      minLength: 1,
      maxLength: 4,
    });
    const check = fc.asyncProperty(
      shape,
      fc.nat(),
      fc.constantFrom('float32' as const, 'int32' as const),
      async (sizes, seed, dtype) => {
        const perm = createRandom(seed).shuffled(sizes.map((_, axis) => axis));
        const apart = await differences(() => {
          const x = tf.reshape(tf.range(0, tf.util.sizeFromShape(sizes), 1, dtype), sizes);
          return [tf.transpose(x, perm)];
        });
        expect(apart).toEqual([0]);
      },
    );
    await fc.assert(check, { numRuns: 100, seed: 3 });
  });
});

describeKernels('a transposition that changes nothing', ['Transpose'], () => {
  it('gives a tensor that stays when the first is disposed', async () => {
    await startEngine();
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const same = tf.transpose(x, [0, 1]);
    x.dispose();
    const others = [tf.fill([4], 7), tf.fill([2, 2], 8)];
    expect([...same.dataSync()]).toEqual([1, 2, 3, 4]);
    tf.dispose([same, ...others]);
  });
});

describeKernels('Slice, SplitV and Unpack', ['Slice', 'SplitV', 'Unpack'], () => {
  it('take the part the cpu backend takes', async () => {
    const check = fc.asyncProperty(shapes, fc.nat(), dtypes, async (shape, seed, dtype) => {
      const random = createRandom(seed);
      const begin = shape.map((size) => random.integer(size));
      // Whole axes too, which a slice moves in one run.
      const whole = shape.map(() => random.uniform() < 0.5);
      const from = begin.map((place, i) => (whole[i] ? 0 : place));
      const size = shape.map((each, i) => (whole[i] ? -1 : 1 + random.integer(each - begin[i])));
      await expectSame(() => [tf.slice(counted(shape, dtype), from, size)]);
    });
    await fc.assert(check, { numRuns: 100, seed: 4 });
  });

  it('split along any axis', async () => {
    const check = fc.asyncProperty(shapes, fc.nat(), dtypes, async (shape, seed, dtype) => {
      const axis = seed % shape.length;
      const first = seed % (shape[axis] + 1);
      await expectSame(() => [
        ...tf.split(counted(shape, dtype), [first, shape[axis] - first], axis),
        ...tf.unstack(counted(shape, dtype), axis),
      ]);
    });
    await fc.assert(check, { numRuns: 60, seed: 5 });
  });
});

describeNative('PadV2', () => {
  it('puts the numbers where the cpu backend puts them, empty tensors too', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 });
    const check = fc.asyncProperty(sizes, fc.nat(), dtypes, async (shape, seed, dtype) => {
      const random = createRandom(seed);
      const paddings = shape.map((): [number, number] => [random.integer(3), random.integer(3)]);
      await expectSame(() => [tf.pad(counted(shape, dtype), paddings, dtype === 'bool' ? 1 : -7)]);
    });
    await fc.assert(check, { numRuns: 60, seed: 15 });
  });

  it('is the gradient of a slice', async () => {
    const apart = await differences(() => [
      tf.grad((x) => tf.sum(tf.square(tf.slice(x, [1, 0, 2], [2, -1, 1]))))(counted([4, 3, 5], 'float32')),
    ]);
    expect(apart).toEqual([0]);
  });
});

describeKernels('GatherV2', ['GatherV2'], () => {
  it('takes what the cpu backend takes, along any axis, with batches', async () => {
    const check = fc.asyncProperty(shapes, fc.nat(), dtypes, fc.boolean(), async (shape, seed, dtype, batched) => {
      const axis = seed % shape.length;
      const batchDims = batched && axis > 0 ? 1 : 0;
      const random = createRandom(seed);
      const idShape = [...shape.slice(0, batchDims), 3, 2];
      const ids = Int32Array.from({ length: tf.util.sizeFromShape(idShape) }, () => random.integer(shape[axis]));
      await expectSame(() => [tf.gather(counted(shape, dtype), tf.tensor(ids, idShape, 'int32'), axis, batchDims)]);
    });
    await fc.assert(check, { numRuns: 60, seed: 6 });
  });

  it.each([-1, 5])('refuses index %i of 5', async (id) => {
    await expect(resultsOf(() => [tf.gather(tf.zeros([5, 2]), tf.tensor1d([0, id], 'int32'))])).rejects.toThrow(
      /^GatherV2: (expected indices in \[0, 5\), got (-1|5|another) at place 1|the index value (-1|5) is not in \[0, 4\])$/,
    );
  });
});
