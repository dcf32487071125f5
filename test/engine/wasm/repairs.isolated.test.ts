import { beforeAll, describe, expect, it, vi } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';

// The repairs must do without the fused kernels, whether those are built or not.
vi.mock('../../../src/engine/wasm/kernels/index.js', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  prepareWasmMemory: () => () => undefined,
  installWasmKernels: async () => ({ installed: [], reason: 'left out by the test' }),
}));

type Arrays = number[][];

function normals(size: number, ...scope: (string | number)[]): Float32Array {
  const random = createRandom(7, ...scope);
  return Float32Array.from({ length: size }, random.normal);
}

/** Values and gradients of one function on cpu and on wasm, from the same numbers. */
async function onBoth(compute: () => tf.Tensor[]): Promise<{ cpu: Arrays; wasm: Arrays }> {
  const results: Partial<Record<'cpu' | 'wasm', Arrays>> = {};
  for (const engine of ['cpu', 'wasm'] as const) {
    await selectEngine(engine);
    const tensors = tf.tidy(compute);
    results[engine] = tensors.map((tensor) => [...tensor.dataSync()]);
    tf.dispose(tensors);
  }
  return results as { cpu: Arrays; wasm: Arrays };
}

function expectClose(actual: number[], expected: number[], relative = 2e-6): void {
  const scale = Math.max(...expected.map(Math.abs), 1e-12);
  expect(actual.length).toBe(expected.length);
  expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i]))) / scale).toBeLessThan(relative);
}

it('the fused kernels are left out here', async () => {
  expect((await selectEngine('wasm')).device).toBe('CPU, 1 thread, SIMD, plain kernels: left out by the test');
});

describe('BatchMatMul on wasm', () => {
  const shapes: { batch: number[]; m: number; k: number; n: number }[] = [
    { batch: [], m: 33, k: 17, n: 29 },
    { batch: [1], m: 5, k: 64, n: 3 },
    { batch: [1, 1], m: 4, k: 6, n: 8 },
    { batch: [3, 2], m: 7, k: 5, n: 9 },
    { batch: [], m: 1, k: 1, n: 1 },
  ];
  const flags = [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ] as const;

  it.each(shapes.flatMap((shape) => flags.map(([transposeA, transposeB]) => ({ ...shape, transposeA, transposeB }))))(
    'equals cpu, value and gradients: $batch $m·$k·$n $transposeA $transposeB',
    async (item) => {
      const { batch, m, k, n, transposeA, transposeB } = item;
      const shapeA = [...batch, ...(transposeA ? [k, m] : [m, k])];
      const shapeB = [...batch, ...(transposeB ? [n, k] : [k, n])];
      const { cpu, wasm } = await onBoth(() => {
        const a = tf.tensor(normals(tf.util.sizeFromShape(shapeA), 'a'), shapeA);
        const b = tf.tensor(normals(tf.util.sizeFromShape(shapeB), 'b'), shapeB);
        const weights = tf.tensor(normals(tf.util.sizeFromShape([...batch, m, n]), 'w'), [...batch, m, n]);
        const product = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.matMul(x, y, transposeA, transposeB);
        const loss = (x: tf.Tensor, y: tf.Tensor): tf.Scalar => tf.sum(tf.mul(product(x, y), weights));
        return [product(a, b), ...tf.grads(loss)([a, b])];
      });
      for (const [i, expected] of cpu.entries()) expectClose(wasm[i], expected);
    },
  );

  it('frees the transposed operands', async () => {
    await selectEngine('wasm');
    const [a, b] = [tf.ones([8, 4]), tf.ones([8, 5])];
    const before = tf.engine().backend.numDataIds();
    tf.matMul(a, b, true, false).dispose();
    tf.matMul(b, a, true, false).dispose();
    expect(tf.engine().backend.numDataIds()).toBe(before);
    tf.dispose([a, b]);
  });
});

describe('UnsortedSegmentSum on wasm', () => {
  beforeAll(async () => {
    await selectEngine('wasm');
  });

  it('adds the rows of each segment and drops ids outside the range', () => {
    const x = tf.tensor2d([1, 2, 10, 20, 100, 200, 5, 5], [4, 2]);
    const sums = tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2, 7], 'int32'), 3);
    expect(sums.arraySync()).toEqual([
      [10, 20],
      [0, 0],
      [101, 202],
    ]);
  });

  it('keeps int32 and rows of any shape', () => {
    const x = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2], 'int32');
    const sums = tf.unsortedSegmentSum(x, tf.tensor1d([1, 1], 'int32'), 2);
    expect(sums.dtype).toBe('int32');
    expect(sums.arraySync()).toEqual([
      [
        [0, 0],
        [0, 0],
      ],
      [
        [6, 8],
        [10, 12],
      ],
    ]);
  });

  it('accepts no rows at all', () => {
    const sums = tf.unsortedSegmentSum(tf.zeros([0, 3]), tf.tensor1d([], 'int32'), 2);
    expect(sums.arraySync()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });
});

describe('training on wasm', () => {
  it('gives the losses and gradients of cpu: embedding, matMul, gather along an inner axis', async () => {
    const { cpu, wasm } = await onBoth(() => {
      const embedding = tf.variable(tf.tensor2d(normals(11 * 8, 'embedding'), [11, 8]));
      const projection = tf.variable(tf.tensor2d(normals(8 * 6, 'projection'), [8, 6]));
      const ids = tf.tensor2d([3, 1, 3, 10, 0, 3, 7, 7], [2, 4], 'int32');
      const targets = tf.tensor2d(normals(2 * 4 * 3, 'targets'), [8, 3]);
      const columns = tf.tensor1d([5, 0, 5], 'int32');
      const loss = (): tf.Scalar => {
        const embedded = tf.reshape(tf.gather(embedding, ids), [8, 8]); // [batch·seqLen, dModel]
        const hidden = tf.matMul(tf.tanh(embedded), projection); // [batch·seqLen, 6]
        const logits = tf.matMul(hidden, projection, false, true); // [batch·seqLen, dModel]
        const picked = tf.gather(hidden, columns, 1); // [batch·seqLen, 3]
        const norm = tf.mean(tf.square(tf.softmax(logits)));
        return tf.add(tf.mean(tf.square(tf.sub(picked, targets))), norm) as tf.Scalar;
      };
      const results: tf.Tensor[] = [];
      for (let step = 0; step < 5; step++) {
        const { value, grads } = tf.variableGrads(loss, [embedding, projection]);
        results.push(value, grads[embedding.name], grads[projection.name]);
        for (const variable of [embedding, projection])
          variable.assign(tf.sub(variable, tf.mul(0.3, grads[variable.name])));
      }
      tf.dispose([embedding, projection]);
      return results;
    });
    expect(cpu.length).toBe(15);
    for (const [i, expected] of cpu.entries()) expectClose(wasm[i], expected, 2e-5);
    expect(cpu[12][0]).toBeLessThan(cpu[0][0]);
  });
});

describe('masks on wasm', () => {
  const values = [0, 0.5, 256, -1, 0, 3];
  const truths = [0, 1, 1, 1, 0, 1];

  beforeAll(async () => {
    await selectEngine('wasm');
  });

  it('are true wherever a number is not zero', () => {
    expect([...tf.cast(tf.tensor1d(values), 'bool').dataSync()]).toEqual(truths);
    expect([...tf.cast(tf.tensor1d([0, 256, -1, 7], 'int32'), 'bool').dataSync()]).toEqual([0, 1, 1, 1]);
  });

  it('can be reversed, sliced in strides and selected without touching other memory', () => {
    const mask = tf.cast(tf.tensor2d(values, [2, 3]), 'bool');
    const canaries = Array.from({ length: 50 }, () => tf.fill([6], 42));
    for (let i = 0; i < 20; i++) {
      expect(tf.reverse(mask, 1).arraySync()).toEqual([
        [1, 1, 0],
        [1, 0, 1],
      ]);
      expect(tf.stridedSlice(mask, [0, 0], [2, 3], [1, 2]).arraySync()).toEqual([
        [0, 1],
        [1, 1],
      ]);
      expect(tf.where(mask, tf.logicalNot(mask), mask).arraySync()).toEqual([
        [0, 0, 0],
        [0, 0, 0],
      ]);
    }
    for (const canary of canaries) expect([...canary.dataSync()]).toEqual([42, 42, 42, 42, 42, 42]);
  });

  it('and token ids keep their type when sliced in strides', () => {
    const sliced = tf.stridedSlice(tf.tensor2d([1, 2, 3, 2 ** 30 + 1, 5, 6], [2, 3], 'int32'), [0, 0], [2, 3], [1, 2]);
    expect(sliced.dtype).toBe('int32');
    expect(sliced.arraySync()).toEqual([
      [1, 3],
      [2 ** 30 + 1, 6],
    ]);
  });

  it('free what they allocate on the way', () => {
    const mask = tf.cast(tf.tensor2d(values, [2, 3]), 'bool');
    const before = tf.engine().backend.numDataIds();
    tf.tidy(() => {
      tf.reverse(mask, 1);
      tf.stridedSlice(mask, [0, 0], [2, 3], [1, 2]);
      tf.where(mask, mask, mask);
      tf.cast(tf.ones([3]), 'bool');
    });
    expect(tf.engine().backend.numDataIds()).toBe(before);
  });
});
