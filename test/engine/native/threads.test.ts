import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import {
  layerNormalize,
  linearCrossEntropy,
  pattention,
  routedPattention,
  softmaxCrossEntropy,
  sparsePattention,
  squaredNorm,
  tokenAttention,
} from '#src/kernels';
import { createRandom } from '#src/random';
import {
  clusterKeys,
  createStack,
  type KeyValueCache,
  ParameterTree,
  runStack,
  TokenFormerConfig,
} from '#src/tokenformer';
import { findAddon } from '../../../src/engine/native/addon.js';
import { addon, describeNative, normalNumbers, sameBits } from '../../support/kernelComparison.js';
import { oneGroupBlock } from '../../support/oneGroupBlock.js';

/** Outputs and gradients of a small model, sizes chosen so that every kernel has work for several threads. */
function everything(): Float32Array[] {
  const tensors = tf.tidy(() => {
    const shape: [number, number] = [600, 40];
    const x = tf.tensor2d(normalNumbers(1, shape), shape);
    const keys = tf.tensor2d(normalNumbers(2, [90, 40]), [90, 40]);
    const values = tf.tensor2d(normalNumbers(3, [90, 40]), [90, 40]);
    const labels = tf.tensor1d(Int32Array.from({ length: 600 }, (_, i) => i % 40));
    const settings = { normActivation: 'l2NormGelu', gelu: 'erf', epsilon: 0, tau: 9 } as const;
    const loss = (...[a, b, c]: tf.Tensor[]): tf.Tensor => {
      const normal = layerNormalize(a as tf.Tensor2D);
      const mixed = pattention(normal, b as tf.Tensor2D, c as tf.Tensor2D, settings);
      const heads = tf.reshape(mixed, [6, 100, 40]) as tf.Tensor3D;
      const seen = tokenAttention(heads, heads, heads, { numHeads: 4, prefixLen: 10, contextLen: 0 });
      const logits = tf.add(
        tf.reshape(seen, shape),
        tf.tanh(tf.matMul(normal, tf.matMul(normal, normal, true, false))),
      );
      const ones = tf.ones([600]) as tf.Tensor1D;
      const losses = softmaxCrossEntropy(logits as tf.Tensor2D, labels, ones);
      return tf.sum(tf.add(losses, linearCrossEntropy(normal, c as tf.Tensor2D, labels, ones)));
    };
    const gradients = tf.grads(loss)([x, keys, values]);
    const sums = [squaredNorm(gradients), tf.sum(x, 0), tf.mean(x), tf.unsortedSegmentSum(x, labels, 40)];
    // Most tokens without a gradient; and a depth of several blocks, which are packed while others are multiplied.
    const some = tf.cast(tf.less(tf.reshape(labels, [600, 1]), 9), 'float32');
    const sparse = tf.grads((...[a, b, c]: tf.Tensor[]) =>
      tf.sum(tf.mul(pattention(a as tf.Tensor2D, b as tf.Tensor2D, c as tf.Tensor2D, settings), some)),
    )([x, keys, values]);
    const clusters = clusterKeys(keys, values, 20, createRandom(1, 'threads'));
    const few = [x, tf.slice(x, [0, 0], [3, -1])].flatMap((rows) => [
      sparsePattention(rows, keys, values, settings, 11),
      routedPattention(rows, clusters, settings, 4),
    ]);
    const deep = tf.tensor2d(normalNumbers(4, [1200, 160]), [1200, 160]);
    const product = tf.matMul(deep, deep, true, false);
    return [loss(x, keys, values), ...gradients, ...sums, tf.argMax(x, 1), ...sparse, ...few, product];
  });
  const arrays = tensors.map((tensor) => tensor.dataSync() as Float32Array);
  tf.dispose(tensors);
  return [...arrays, ...decoded()];
}

/** A prompt and three tokens after it, all blocks in one call: states and caches. */
function decoded(): Float32Array[] {
  const config = TokenFormerConfig.parse({
    dModel: 64,
    numLayers: 2,
    numHeads: 4,
    qkvParamTokens: 150,
    outputParamTokens: 90,
    ffnParamTokens: 300,
    rotaryShare: 0.5,
  });
  const tree = new ParameterTree(createStack('text', config, 3));
  const tensors = tf.tidy(() => {
    const blocks = [0, 1].map((index) => oneGroupBlock(tree, 'text', index));
    const states: tf.Tensor[] = [];
    let caches: readonly KeyValueCache[] | undefined;
    for (const newTokens of [5, 1, 1, 1]) {
      const x = tf.tensor3d(normalNumbers(newTokens, [3, newTokens, 64]), [3, newTokens, 64]);
      const memory = caches ? { caches } : { keepCaches: true };
      const pass = runStack(x, blocks, config, { mask: { kind: 'causal' }, ...memory });
      caches = pass.caches;
      states.push(pass.hidden);
    }
    return [...states, ...(caches ?? []).flatMap(({ keys, values }) => [keys, values])];
  });
  tree.dispose();
  // Behind the tokens there is room with undefined contents.
  const arrays = tensors.map((tensor) =>
    (tensor.shape[1] ?? 0) > 8
      ? (tf.tidy(() => tf.slice(tensor, [0, 0, 0], [-1, 8, -1]).dataSync()) as Float32Array)
      : (tensor.dataSync() as Float32Array),
  );
  tf.dispose(tensors);
  return arrays;
}

describeNative('results', () => {
  afterAll(() => {
    addon?.setThreads(2);
  });

  it('are the same bits from run to run and at any number of threads', () => {
    addon!.setThreads(1);
    const expected = everything();
    for (const threads of [2, 3, 4, 7, 2]) {
      addon!.setThreads(threads);
      expect(addon!.threads()).toBe(threads);
      for (let run = 0; run < 3; run++) expect(sameBits(everything(), expected)).toBe(true);
    }
    // Under the thread sanitizer, on a busy machine, it takes longer than a minute.
  }, 300_000);
});

describe.skipIf(addon === undefined)('the thread pool', () => {
  beforeAll(async () => {
    await selectEngine('native');
  });

  it('survives ten thousand small and large kernels, and pauses between them', async () => {
    const x = tf.tensor2d(normalNumbers(1, [200, 100]), [200, 100]);
    const small = tf.tensor2d(normalNumbers(1, [2, 2]), [2, 2]);
    const expected = tf.tidy(() => tf.sum(tf.matMul(x, x, false, true)).dataSync()[0]);
    for (let round = 0; round < 100; round++) {
      addon!.setThreads(1 + (round % 5));
      for (let i = 0; i < 100; i++) {
        tf.tidy(() => {
          if (i % 10 !== 0) return tf.add(tf.matMul(small, small), small);
          expect(tf.sum(tf.matMul(x, x, false, true)).dataSync()[0]).toBe(expected);
          return small;
        });
      }
      if (round % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    tf.dispose([x, small]);
  });

  it('serves several JavaScript threads at once', async () => {
    const source = `
      const { workerData, parentPort } = require('node:worker_threads');
      const addon = require(workerData);
      const a = new Float32Array(96 * 96).fill(0.5), b = new Float32Array(96 * 96).fill(2), c = new Float32Array(96 * 96);
      let wrong = 0;
      for (let i = 0; i < 300; i++) {
        c.fill(0);
        addon.matMul(1, 96, 96, 96, false, i % 2 === 0, false, false, false, a, b, c);
        wrong += c.filter((x) => x !== 96).length;
      }
      parentPort.postMessage(wrong);`;
    const answers = await Promise.all(
      Array.from(
        { length: 4 },
        () =>
          new Promise((resolve, reject) => {
            new Worker(source, { eval: true, workerData: findAddon() }).once('message', resolve).once('error', reject);
          }),
      ),
    );
    expect(answers).toEqual([0, 0, 0, 0]);
  });
});
