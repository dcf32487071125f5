import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import {
  adamWStep,
  IGNORE_INDEX,
  layerNormalize,
  layerNormalizeReference,
  rotaryPositions,
  softmaxCrossEntropy,
  softmaxCrossEntropyReference,
} from '#src/kernels';
import { createRandom } from '#src/random';
import { describeKernels, describeWasm, differences, normalNumbers } from '../../support/kernelComparison.js';

// 6e-7 measured, for every kernel here.
const TOLERANCE = 2e-6;

const size = fc.oneof(fc.constantFrom(1, 7, 33), fc.integer({ min: 1, max: 200 }));

async function expectAgreement(compute: () => tf.Tensor[], reference = compute): Promise<void> {
  for (const difference of await differences(compute, reference)) expect(difference).toBeLessThan(TOLERANCE);
}

describeKernels('LayerNormalize', ['LayerNormalize', 'LayerNormalizeGrad'], () => {
  it('agrees with the definition and its automatic gradient', async () => {
    const check = fc.asyncProperty(size, size, async (rows, width) => {
      // At width 2 and less every row is ±1 or 0 and the gradient only rounding.
      fc.pre(width > 2);
      const shape: [number, number] = [rows, width];
      const [numbers, weight] = [normalNumbers(1, shape), normalNumbers(2, shape)];
      const compute = (plain: boolean) => () => {
        const x = tf.tensor2d(numbers, shape);
        const apply = (t: tf.Tensor): tf.Tensor =>
          plain ? layerNormalizeReference(t, 1e-5).output : layerNormalize(t as tf.Tensor2D);
        return [apply(x), tf.grad(apply)(x, tf.tensor2d(weight, shape))];
      };
      await expectAgreement(compute(false), compute(true));
    });
    await fc.assert(check, { numRuns: 40, seed: 4 });
  });
});

describeKernels('SoftmaxCrossEntropy', ['SoftmaxCrossEntropy', 'SoftmaxCrossEntropyGrad'], () => {
  it('agrees with the definition and its automatic gradient, ignored rows included', async () => {
    const check = fc.asyncProperty(size, size, async (rows, classes) => {
      fc.pre(classes > 1); // tf.oneHot takes no less
      const random = createRandom(6, rows, classes);
      const labels = Int32Array.from({ length: rows }, () =>
        random.uniform() < 0.2 ? IGNORE_INDEX : random.integer(classes),
      );
      const weights = Float32Array.from(labels, (label) => (label === IGNORE_INDEX ? 0 : random.uniform()));
      const numbers = normalNumbers(1, [rows, classes], 4);
      const compute = (plain: boolean) => () => {
        const logits = tf.tensor2d(numbers, [rows, classes]);
        const [labelTensor, weightTensor] = [tf.tensor1d(labels, 'int32'), tf.tensor1d(weights)];
        const apply = (t: tf.Tensor): tf.Tensor => {
          if (!plain) return softmaxCrossEntropy(t as tf.Tensor2D, labelTensor, weightTensor);
          const safe = tf.maximum(labelTensor, tf.scalar(0, 'int32')) as tf.Tensor1D;
          return softmaxCrossEntropyReference(t as tf.Tensor2D, safe, weightTensor).losses;
        };
        return [apply(logits), tf.grad(apply)(logits, tf.tensor1d(normalNumbers(3, [rows])))];
      };
      await expectAgreement(compute(false), compute(true));
    });
    await fc.assert(check, { numRuns: 40, seed: 8 });
  });
});

describeKernels('RotaryPositions', ['RotaryPositions'], () => {
  it('agrees with the definition, forwards and back', async () => {
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      seqLen: fc.integer({ min: 1, max: 20 }),
      numHeads: fc.integer({ min: 1, max: 3 }),
      half: fc.integer({ min: 1, max: 9 }),
      rest: fc.constantFrom(0, 1, 6),
      startPosition: fc.constantFrom(0, 13, 900),
    });
    const check = fc.asyncProperty(sizes, async ({ batch, seqLen, numHeads, half, rest, startPosition }) => {
      const shape: [number, number, number] = [batch, seqLen, numHeads * (2 * half + rest)];
      const settings = { numHeads, rotaryDims: 2 * half, startPosition, base: 10000 };
      const [numbers, weight] = [normalNumbers(1, shape), normalNumbers(2, shape)];
      await expectAgreement(() => {
        const x = tf.tensor3d(numbers, shape);
        const apply = (t: tf.Tensor): tf.Tensor => rotaryPositions(t as tf.Tensor3D, settings);
        return [apply(x), tf.grad(apply)(x, tf.tensor3d(weight, shape))];
      });
    });
    await fc.assert(check, { numRuns: 40, seed: 9 });
  });
});

describeWasm('AdamWStep', ['AdamWStep'], () => {
  it('agrees with the definition and leaves its arguments alone', async () => {
    const check = fc.asyncProperty(size, fc.integer({ min: 1, max: 1000 }), async (count, step) => {
      const arrays = [0, 1, 2, 3].map((seed) => normalNumbers(seed, [count]));
      await expectAgreement(() => {
        const [param, gradient, m, root] = arrays.map((array) => tf.tensor1d(array));
        const v = tf.square(root);
        const settings = {
          learningRate: 1e-2,
          beta1: 0.9,
          beta2: 0.95,
          epsilon: 1e-8,
          weightDecay: 0.1,
          step,
          gradientScale: 0.7,
        };
        const next = adamWStep(param, gradient, m, v, settings);
        return [next.param, next.m, next.v, param, gradient, m, v];
      });
    });
    await fc.assert(check, { numRuns: 30, seed: 10 });
  });
});
