import fc from 'fast-check';
import { expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';
import { describeNative, differences, resultsOn } from './nativeComparison.js';

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
  const describeAll = async (backend: 'native' | 'cpu'): Promise<string[]> => {
    await selectEngine(backend);
    return tf.tidy(() => compute().map(({ shape, dtype }) => `${dtype}[${shape}]`));
  };
  expect(await describeAll('native')).toEqual(await describeAll('cpu'));
}

describeNative('Transpose', () => {
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

describeNative('Slice, SplitV and Unpack', () => {
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

describeNative('GatherV2', () => {
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
    await expect(
      resultsOn('native', () => [tf.gather(tf.zeros([5, 2]), tf.tensor1d([0, id], 'int32'))]),
    ).rejects.toThrow(`GatherV2: expected indices in [0, 5), got ${id} at place 1`);
  });
});
