import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';
import { COMPILED_WITHIN, placed, startCard, wantsCard } from './cuda/card.js';

/** A mask [4, 6] that no gradient flows through; comparisons have none in TensorFlow.js. */
function triangle(): tf.Tensor {
  return tf.greaterEqual(tf.reshape(tf.range(0, 4), [4, 1]), tf.range(0, 6));
}

/** Every operation that a transformer's forward and backward pass is made of, on x [2, 4, 6] and y of the same shape. */
const operations: Record<string, (x: tf.Tensor3D, y: tf.Tensor3D) => tf.Tensor> = {
  add: (x, y) => tf.add(x, y),
  addRow: (x) => tf.add(x, tf.linspace(0, 1, 6)),
  sub: (x, y) => tf.sub(x, y),
  mul: (x, y) => tf.mul(x, y),
  div: (x, y) => tf.div(x, tf.add(tf.square(y), 1)),
  maximum: (x, y) => tf.maximum(x, y),
  minimum: (x, y) => tf.minimum(x, y),
  pow: (x) => tf.pow(tf.add(tf.abs(x), 0.1), 1.7),
  neg: (x) => tf.neg(x),
  abs: (x) => tf.abs(x),
  square: (x) => tf.square(x),
  sqrt: (x) => tf.sqrt(tf.add(tf.square(x), 0.1)),
  rsqrt: (x) => tf.rsqrt(tf.add(tf.square(x), 0.1)),
  exp: (x) => tf.exp(x),
  log: (x) => tf.log(tf.add(tf.square(x), 0.1)),
  log1p: (x) => tf.log1p(tf.square(x)),
  erf: (x) => tf.erf(x),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  softplus: (x) => tf.softplus(x),
  relu: (x) => tf.relu(x),
  sin: (x) => tf.sin(x),
  cos: (x) => tf.cos(x),
  clip: (x) => tf.clipByValue(x, -0.5, 0.5),
  sign: (x, y) => tf.mul(tf.sign(x), y),
  where: (x, y) => tf.where(triangle(), x, y),
  castMask: (x) => tf.mul(tf.cast(triangle(), 'float32'), x),
  logicalMask: (x) => tf.where(tf.logicalAnd(triangle(), tf.logicalNot(tf.reverse(triangle(), 1))), x, tf.zerosLike(x)),
  sumLast: (x) => tf.sum(x, -1),
  sumMiddle: (x) => tf.sum(x, 1, true),
  mean: (x) => tf.mean(x, [0, 2]),
  max: (x) => tf.max(x, -1),
  logSumExp: (x) => tf.logSumExp(x, -1),
  cumsum: (x) => tf.cumsum(x, 2),
  softmax: (x) => tf.softmax(x),
  logSoftmax: (x) => tf.logSoftmax(x),
  moments: (x) => tf.moments(x, -1).variance,
  norm: (x) => tf.norm(x, 'euclidean', -1),
  reshape: (x) => tf.reshape(x, [8, 6]),
  transpose: (x) => tf.transpose(x, [2, 0, 1]),
  expandSqueeze: (x) => tf.squeeze(tf.expandDims(x, 1), [1]),
  concat: (x, y) => tf.concat([x, y], 1),
  stack: (x, y) => tf.stack([x, y], 1),
  unstack: (x) => tf.unstack(x, 1)[2],
  split: (x) => tf.split(x, [2, 4], 2)[1],
  slice: (x) => tf.slice(x, [0, 1, 2], [2, 2, 3]),
  pad: (x) =>
    tf.pad(x, [
      [0, 0],
      [1, 2],
      [0, 1],
    ]),
  tile: (x) => tf.tile(x, [1, 2, 3]),
  broadcastTo: (x) => tf.broadcastTo(tf.slice(x, [0, 0, 0], [1, 4, 6]), [5, 4, 6]),
  reverse: (x) => tf.reverse(x, 1),
  gatherRows: (x) => tf.gather(tf.reshape(x, [8, 6]), tf.tensor1d([7, 0, 7, 3], 'int32')),
  gatherInner: (x) => tf.gather(x, tf.tensor1d([5, 5, 1], 'int32'), 2),
  gatherPerItem: (x) => tf.gather(x, tf.tensor2d([0, 3, 2, 2], [2, 2], 'int32'), 1, 1),
  oneHot: (x) => tf.mul(x, tf.reshape(tf.oneHot(tf.tensor1d([0, 5, 2, 2], 'int32'), 6), [1, 4, 6])),
  matMul: (x, y) => tf.matMul(x, y, false, true),
  matMulHeads: (x, y) => tf.matMul(tf.reshape(x, [2, 2, 2, 6]), tf.reshape(y, [2, 2, 2, 6]), true, false),
  dot: (x, y) => tf.dot(tf.reshape(x, [8, 6]), tf.reshape(y, [6, 8])),
  batchedMean: (x) => tf.mean(tf.reshape(x, [2, 24]), 1),
  bandPart: (x) => tf.linalg.bandPart(tf.matMul(x, x, false, true), -1, 0),
};

/** Order-free and whole-number results, without a gradient. */
const plain: Record<string, (x: tf.Tensor3D) => tf.Tensor> = {
  stridedSlice: (x) => tf.stridedSlice(x, [0, 0, 0], [2, 4, 6], [1, 2, 3]),
  gatherND: (x) => tf.gatherND(x, tf.tensor2d([0, 1, 1, 3], [2, 2], 'int32')),
  comparisons: (x) => tf.logicalAnd(tf.greater(x, 0), tf.lessEqual(x, tf.reverse(x, 2))),
  argMax: (x) => tf.argMax(x, -1),
  topk: (x) => tf.topk(x, 3).indices,
  equal: (x) => tf.equal(x, tf.reverse(x, 2)),
  floorRound: (x) => tf.add(tf.floor(x), tf.round(x)),
  isFinite: (x) => tf.all(tf.isFinite(x)),
  isNaN: (x) => tf.any(tf.isNaN(tf.log(x))),
  range: () => tf.range(0, 7, 1, 'int32'),
  castInt: (x) => tf.cast(tf.mul(x, 10), 'int32'),
  sumInt: (x) => tf.sum(tf.cast(tf.mul(x, 10), 'int32'), -1),
};

function inputs(): [tf.Tensor3D, tf.Tensor3D] {
  const random = createRandom(3, 'opParity');
  const tensors = [0, 1].map(() => tf.tensor3d(Float32Array.from({ length: 48 }, random.normal), [2, 4, 6]));
  // Small tensors on the host would stay there.
  if (tf.getBackend() === 'cuda') tensors.forEach(placed);
  return [tensors[0], tensors[1]];
}

async function bothEngines(other: 'wasm' | 'cuda', compute: () => tf.Tensor[]): Promise<number[][][]> {
  const results: number[][][] = [];
  for (const engine of ['cpu', other] as const) {
    await selectEngine(engine);
    const tensors = tf.tidy(compute);
    results.push(tensors.map((tensor) => [...tensor.dataSync()]));
    tf.dispose(tensors);
  }
  return results;
}

describe.each(wantsCard ? (['wasm', 'cuda'] as const) : (['wasm'] as const))('%s computes as cpu does', (engine) => {
  if (engine === 'cuda') beforeAll(startCard, COMPILED_WITHIN);

  it.each(Object.keys(operations))('%s and its gradient', async (name) => {
    const operation = operations[name];
    const [cpu, own] = await bothEngines(engine, () => {
      const [x, y] = inputs();
      // Weighted by position, so that a gradient in the wrong place is seen.
      const loss = (a: tf.Tensor, b: tf.Tensor): tf.Scalar => {
        const value = operation(a as tf.Tensor3D, b as tf.Tensor3D);
        return tf.sum(tf.mul(value, tf.reshape(tf.linspace(1, 2, value.size), value.shape)));
      };
      return [operation(x, y), tf.grad((a) => loss(a, y))(x), tf.grad((b) => tf.add(loss(x, b), tf.sum(b)))(y)];
    });
    for (const [i, expected] of cpu.entries()) {
      const scale = Math.max(...expected.map(Math.abs), 1);
      for (const [j, value] of own[i].entries()) expect(Math.abs(value - expected[j]) / scale).toBeLessThan(5e-6);
    }
  });

  it.each(Object.keys(plain))('%s', async (name) => {
    const [cpu, own] = await bothEngines(engine, () => [plain[name](inputs()[0])]);
    expect(own).toEqual(cpu);
  });
});
