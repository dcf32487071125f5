import { afterEach, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';
import { cudaKernels } from '../../../src/engine/cuda/kernels/index.js';
import { describeCuda, placed } from './card.js';

type Inputs = readonly tf.Tensor[];

/** Runs an operation on the card and on the cpu backend; every kernel must have run on the card, but for those named. */
async function compare(
  make: () => Inputs,
  operation: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
  { tolerance = 0, stock = [] as readonly string[] } = {},
): Promise<void> {
  await selectEngine('cpu');
  const expected = run(make, operation);
  await selectEngine('cuda');
  const before = tf.memory().numTensors;
  let actual: Snapshot[] = [];
  const used = await tf.profile(() => {
    actual = run(make, operation, placed);
  });
  const own = new Set([...cudaKernels().compiled, 'Reshape', 'Identity', 'ExpandDims', 'Fill', ...stock]);
  expect(used.kernelNames.filter((name) => !own.has(name) && !name.endsWith('__op'))).toEqual([]);
  expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
    expected.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  for (const [i, { values }] of expected.entries()) {
    const scale = Math.max(1, ...values.filter(Number.isFinite).map(Math.abs));
    for (const [j, value] of values.entries()) {
      const other = actual[i].values[j];
      if (tolerance === 0 || !Number.isFinite(value)) expect(other + 0, `element ${j}`).toBe(value + 0);
      else expect(Math.abs(other - value) / scale, `element ${j}`).toBeLessThan(tolerance);
    }
  }
  expect(tf.memory().numTensors).toBe(before);
}

interface Snapshot {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: number[];
}

function run(
  make: () => Inputs,
  operation: (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
  place = (tensor: tf.Tensor) => tensor,
): Snapshot[] {
  let results: Snapshot[] = [];
  tf.tidy(() => {
    results = [operation(...make().map(place))].flat().map(snapshot);
  });
  return results;
}

function snapshot(tensor: tf.Tensor): Snapshot {
  return { shape: tensor.shape, dtype: tensor.dtype, values: [...tensor.dataSync()] };
}

function normal(seed: number, ...shape: number[]): tf.Tensor {
  const random = createRandom(seed, 'operations');
  return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, random.normal), shape);
}

function whole(seed: number, most: number, ...shape: number[]): tf.Tensor {
  const random = createRandom(seed, 'operations');
  const values = Int32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.integer(2 * most) - most);
  return tf.tensor(values, shape, 'int32');
}

/** Numbers that kernels tend to get wrong. */
const STRANGE = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  1,
  -1,
  0.5,
  -0.5,
  2.5,
  3.5,
  1e-30,
  1e30,
];

function strange(): tf.Tensor {
  return tf.tensor1d([...STRANGE, 7]);
}

describeCuda('operations on the card', () => {
  afterEach(async () => {
    await selectEngine('cuda');
  });

  const unary: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    ...{ neg: tf.neg, abs: tf.abs, square: tf.square, sqrt: tf.sqrt, rsqrt: tf.rsqrt, exp: tf.exp, expm1: tf.expm1 },
    ...{ log: tf.log, log1p: tf.log1p, erf: tf.erf, tanh: tf.tanh, sigmoid: tf.sigmoid, reciprocal: tf.reciprocal },
    ...{ relu: tf.relu, relu6: tf.relu6, elu: tf.elu, softplus: tf.softplus, sin: tf.sin, cos: tf.cos, sign: tf.sign },
    ...{ floor: tf.floor, ceil: tf.ceil, round: tf.round, step: (x) => tf.step(x, -0.25) },
    ...{ clip: (x) => tf.clipByValue(x, -0.5, 0.7), leaky: (x) => tf.leakyRelu(x, 0.3) },
  };

  it.each(Object.keys(unary))('computes %s', async (name) => {
    // Largest difference measured: 2.4e-7, of erf, which the cpu backend approximates.
    await compare(() => [normal(1, 37, 3)], unary[name], { tolerance: 5e-7 });
    if (['erf', 'sin', 'cos'].includes(name)) return;
    await compare(() => [strange()], unary[name], { tolerance: 5e-7 });
  });

  const binary: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
    ...{ add: tf.add, sub: tf.sub, mul: tf.mul, maximum: tf.maximum, minimum: tf.minimum },
    ...{ squaredDifference: tf.squaredDifference, mod: tf.mod },
  };
  const comparisons: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
    ...{ equal: tf.equal, notEqual: tf.notEqual, less: tf.less, lessEqual: tf.lessEqual },
    ...{ greater: tf.greater, greaterEqual: tf.greaterEqual },
  };

  it.each(Object.keys({ ...binary, ...comparisons }))('computes %s, with broadcasting', async (name) => {
    const operation = { ...binary, ...comparisons }[name];
    for (const numbers of [normal, (seed: number, ...shape: number[]) => whole(seed, 3, ...shape)]) {
      const pairs = [
        [
          [5, 4, 6],
          [5, 4, 6],
        ],
        [[5, 4, 6], [6]],
        [
          [5, 1, 6],
          [4, 1],
        ],
        [[2, 3], []],
        [
          [1, 3, 1, 2, 1, 2],
          [2, 1, 2, 1, 3, 1],
        ],
        [[0, 3], [3]],
      ];
      for (const [a, b] of pairs) {
        await compare(() => [numbers(1, ...a), numbers(2, ...b)], operation, { tolerance: 2e-7 });
      }
    }
  });

  it.each(Object.keys({ ...binary, ...comparisons, pow: 1, div: 1 }))(
    'computes %s of strange numbers',
    async (name) => {
      const operation = { ...binary, ...comparisons, pow: tf.pow, div: tf.div }[name]!;
      const size = STRANGE.length;
      await compare(() => [tf.tensor2d(STRANGE, [size, 1]), tf.tensor2d(STRANGE, [1, size])], operation, {
        tolerance: 3e-7,
      });
    },
  );

  it('divides whole numbers down, as JavaScript does', async () => {
    const make = (): Inputs => [tf.tensor1d([7, -7, 7, -7, 0, 5], 'int32'), tf.tensor1d([2, 2, -2, -2, 3, 0], 'int32')];
    await compare(make, (a, b) => tf.floorDiv(a, b));
    await compare(make, (a, b) => tf.mod(a, b));
  });

  it('computes with truth values', async () => {
    const bools = (...values: number[]): tf.Tensor => tf.tensor1d(values, 'bool');
    const make = (): Inputs => [bools(0, 0, 1, 1, 1), bools(0, 1, 0, 1, 1)];
    for (const operation of [tf.logicalAnd, tf.logicalOr, tf.equal, tf.notEqual]) await compare(make, operation);
    await compare(make, (a) => tf.logicalNot(a));
    await compare(make, (a, b) => [tf.any(a), tf.all(tf.logicalOr(a, b)), tf.all(b)]);
    await compare(make, (a, b) => tf.where(a, tf.cast(b, 'float32'), tf.mul(tf.cast(a, 'float32'), 3)), {
      stock: ['Tile', 'BroadcastTo'],
    });
  });

  it('casts between the kinds of numbers', async () => {
    const values = [1.7, -1.7, 0, 2147483648, -2147483649, 4294967297, Number.NaN, Number.POSITIVE_INFINITY, 1e20];
    await compare(
      () => [tf.tensor1d(values)],
      (x) => [tf.cast(x, 'int32'), tf.cast(x, 'bool')],
    );
    await compare(
      () => [whole(1, 9, 20)],
      (x) => [tf.cast(x, 'float32'), tf.cast(x, 'bool'), tf.cast(x, 'int32')],
    );
    await compare(
      () => [tf.tensor1d([0, 1, 1], 'bool')],
      (x) => [tf.cast(x, 'float32'), tf.cast(x, 'int32')],
    );
  });

  it('adds any number of tensors', async () => {
    const make = (): Inputs => [1, 2, 3, 4].map((seed) => normal(seed, 9, 5));
    await compare(make, (...all) => tf.addN(all), { tolerance: 3e-7 });
    await compare(make, (first) => tf.addN([first]));
  });

  it.each(['sum', 'mean', 'max', 'min', 'prod'] as const)('computes %s along any axes', async (name) => {
    const fold = (axes: number[] | undefined, keepDims: boolean) => (x: tf.Tensor) => tf[name](x, axes, keepDims);
    for (const axes of [undefined, [0], [1], [2], [0, 1], [1, 2], [0, 2], [-1]]) {
      await compare(() => [normal(3, 5, 33, 7)], fold(axes, false), { tolerance: 4e-7 });
      await compare(() => [normal(3, 5, 33, 7)], fold(axes, true), { tolerance: 4e-7 });
      if (name === 'mean' || name === 'prod') continue;
      await compare(() => [whole(3, 9, 5, 33, 7)], fold(axes, false));
    }
  });

  it.each(['sum', 'max'] as const)('computes %s of many numbers in pieces', async (name) => {
    const tolerance = 2e-6; // of a sum of 30,000; measured 4e-7
    await compare(
      () => [normal(4, 30_000)],
      (x) => tf[name](x),
      { tolerance },
    );
    await compare(
      () => [normal(4, 3, 9_001)],
      (x) => tf[name](x, 1),
      { tolerance },
    );
    await compare(
      () => [normal(4, 1_500, 20)],
      (x) => tf[name](x, 0),
      { tolerance },
    );
  });

  it('finds not-a-number in an extreme, as JavaScript does', async () => {
    const make = (): Inputs => [tf.tensor2d([1, Number.NaN, 3, 4, 5, 6, Number.NaN, 2, 1], [3, 3])];
    for (const axis of [0, 1]) await compare(make, (x) => [tf.max(x, axis), tf.min(x, axis)]);
  });

  it('finds the first place of an extreme', async () => {
    const make = (): Inputs => [tf.tensor2d([1, 3, 3, 0, 2, 2, 1, 1, Number.NaN, 4, 0, 0], [3, 4])];
    for (const axis of [0, 1]) await compare(make, (x) => [tf.argMax(x, axis), tf.argMin(x, axis)]);
    await compare(
      () => [normal(5, 3, 1_300)],
      (x) => [tf.argMax(x, 1), tf.argMin(x, -1)],
    );
  });

  it('computes softmax of short and of long rows', async () => {
    await compare(
      () => [normal(6, 5, 7)],
      (x) => tf.softmax(x),
      { tolerance: 3e-7 },
    );
    await compare(
      () => [tf.mul(normal(6, 2, 1_100), 5)],
      (x) => tf.softmax(x),
      { tolerance: 3e-7 },
    );
    await compare(
      () => [normal(6, 5, 7)],
      (x) => tf.logSoftmax(x),
      { tolerance: 3e-7 },
    );
  });

  const movements: Record<string, (x: tf.Tensor) => tf.Tensor | tf.Tensor[]> = {
    slice: (x) => tf.slice(x, [1, 2, 3], [3, 2, 5]),
    sliceRows: (x) => tf.slice(x, [2, 0, 0], [2, -1, -1]),
    sliceWide: (x) => tf.slice(x, [0, 1, 4], [-1, 3, 4]),
    stridedSlice: (x) => tf.stridedSlice(x, [4, 0, 7], [0, 4, 0], [-2, 1, -3]),
    reverse: (x) => tf.reverse(x, [0, 2]),
    tile: (x) => tf.tile(x, [2, 1, 3]),
    broadcast: (x) => tf.broadcastTo(tf.slice(x, [0, 0, 0], [1, 4, 1]), [5, 4, 6]),
    pad: (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
          [3, 1],
        ],
        1,
      ),
    padZeros: (x) =>
      tf.pad(x, [
        [0, 0],
        [1, 1],
        [4, 4],
      ]),
    split: (x) => tf.split(x, [3, 5], 2),
    unstack: (x) => tf.unstack(x, 1),
    concat: (x) => tf.concat([x, tf.slice(x, [0, 0, 2], [-1, -1, 3]), x], 2),
    stack: (x) => tf.stack([x, x], 1),
    transposeSwap: (x) => tf.transpose(x, [0, 2, 1]),
    transposeAll: (x) => tf.transpose(x),
    transposeOuter: (x) => tf.transpose(x, [1, 0, 2]),
    gather: (x) => tf.gather(x, tf.tensor1d([4, 0, 4, 1], 'int32')),
    gatherInner: (x) => tf.gather(x, tf.tensor2d([7, 0, 3, 3], [2, 2], 'int32'), 2),
    gatherPerItem: (x) => tf.gather(x, tf.tensor2d([0, 3, 2, 2, 1, 0, 3, 3, 1, 2], [5, 2], 'int32'), 1, 1),
    likes: (x) => [tf.zerosLike(x), tf.onesLike(x)],
  };

  it.each(Object.keys(movements))('moves numbers: %s', async (name) => {
    const kinds = [normal(7, 5, 4, 8), whole(7, 100, 5, 4, 8), tf.cast(whole(7, 1, 5, 4, 8), 'bool')].map(snapshot);
    for (const { values, dtype, shape } of kinds) {
      await compare(() => [tf.tensor(values, shape, dtype as 'float32')], movements[name]);
    }
  });

  it('moves boxes of more axes than a kernel goes through', async () => {
    const make = (): Inputs => [normal(8, 2, 3, 2, 3, 2, 2)];
    await compare(make, (x) => tf.transpose(x, [5, 3, 1, 4, 2, 0]));
    await compare(make, (x) => tf.tile(x, [2, 2, 2, 1, 2, 2]));
  });

  it('transposes large matrices in tiles', async () => {
    await compare(
      () => [normal(9, 3, 45, 70)],
      (x) => tf.transpose(x, [0, 2, 1]),
    );
    await compare(
      () => [normal(9, 97, 33)],
      (x) => tf.transpose(x),
    );
  });

  it('refuses indices that are none', () => {
    const x = placed(tf.ones([5, 2]));
    const indices = tf.tensor1d([7], 'int32');
    expect(() => tf.gather(x, indices)).toThrow('GatherV2: expected indices in [0, 5), got 7');
    tf.dispose([x, indices]);
  });

  it('makes one-hot rows', async () => {
    const make = (): Inputs => [tf.tensor1d([0, 2, -1, 3, 1], 'int32')];
    const operation = (x: tf.Tensor): tf.Tensor => tf.oneHot(x as tf.Tensor1D, 3, 5, -1, 'float32');
    await compare(make, operation);
    await compare(make, (x) => tf.oneHot(x as tf.Tensor1D, 3));
  });

  it('fills large tensors', async () => {
    await compare(
      () => [],
      () => [tf.fill([70, 70], 2.5), tf.zeros([5000]), tf.fill([5000], 3, 'int32')],
    );
  });

  it.each([
    ['few rows', 7, 5, 3],
    ['several windows of one segment', 200, 2, 5],
    ['segments across windows', 300, 40, 300],
  ])('sums rows by segment: %s', async (_name, rows, segments, width) => {
    const random = createRandom(rows, 'segments');
    const ids = Array.from({ length: rows }, () => (random.integer(2) ? 1 : random.integer(segments + 2) - 1));
    const make = (): Inputs => [normal(1, rows, width), tf.tensor1d(ids, 'int32')];
    const operation = (x: tf.Tensor, i: tf.Tensor): tf.Tensor => tf.unsortedSegmentSum(x, i as tf.Tensor1D, segments);
    await compare(make, operation, { tolerance: 1e-6 });
  });

  it('multiplies matrices, transposed and in batches that broadcast', async () => {
    const cases: [number[], number[], boolean, boolean][] = [
      [[7, 5], [5, 9], false, false],
      [[5, 7], [5, 9], true, false],
      [[7, 5], [9, 5], false, true],
      [[5, 7], [9, 5], true, true],
      [[3, 7, 5], [3, 5, 9], false, false],
      [[3, 5, 7], [3, 9, 5], true, true],
      [[3, 7, 5], [1, 5, 9], false, false],
      [[1, 5, 7], [3, 5, 9], true, false],
      [[1, 5], [5, 1], false, false],
      [[3, 0], [0, 4], false, false],
    ];
    for (const [a, b, transposeA, transposeB] of cases) {
      const make = (): Inputs => [normal(1, ...a), normal(2, ...b)];
      await compare(make, (x, y) => tf.matMul(x, y, transposeA, transposeB), { tolerance: 5e-7 });
    }
  });

  it('broadcasts the batches of both operands', () => {
    tf.tidy(() => {
      const [a, b] = [placed(normal(1, 2, 1, 4, 3)), placed(normal(2, 1, 3, 3, 5))];
      const wide = tf.matMul(tf.broadcastTo(a, [2, 3, 4, 3]), tf.broadcastTo(b, [2, 3, 3, 5]));
      expect(tf.matMul(a, b).dataSync()).toEqual(wide.dataSync());
    });
  });

  it('drops an axis of a strided slice', () => {
    tf.tidy(() => {
      const x = placed(normal(7, 5, 4, 8));
      const part = tf.stridedSlice(x, [1, 0, 2], [2, 4, 8], [1, 1, 2], 0, 0, 0, 0, 1);
      expect(part.shape).toEqual([4, 3]);
      expect(part.dataSync()).toEqual(tf.stridedSlice(x, [1, 0, 2], [2, 4, 8], [1, 1, 2]).dataSync());
    });
  });

  it('adds a bias to a product and applies an activation', async () => {
    const make = (): Inputs => [normal(1, 7, 5), normal(2, 5, 9), normal(3, 9)];
    await compare(make, (a, b, bias) => tf.fused.matMul({ a, b, bias, activation: 'relu' } as never), {
      tolerance: 5e-7,
    });
  });
});
