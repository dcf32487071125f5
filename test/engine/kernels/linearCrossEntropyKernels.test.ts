import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { linearCrossEntropy, softmaxCrossEntropyReference } from '#src/kernels';
import { createRandom } from '#src/random';
import {
  describeCompiled,
  differences,
  normalNumbers,
  resultsOf,
  startEngine,
} from '../../support/kernelComparison.js';

// Of losses and gradients alike; the largest measured is 1.1e-6.
const TOLERANCE = 3e-6;

interface Setting {
  rows: number;
  dModel: number;
  vocabSize: number;
  /** Share of rows of weight 0. */
  left: number;
  /** Whether the losses go into the result with one factor or with one each. */
  factors: 'one' | 'each';
}

/** Losses, dStates and dEmbedding, by the fused op or by automatic differentiation of the definition. */
function lossesAndGradients({ rows, dModel, vocabSize, left, factors }: Setting, plain: boolean): () => tf.Tensor[] {
  const random = createRandom(3, rows, dModel, vocabSize);
  const labels = Int32Array.from({ length: rows }, () => random.integer(vocabSize));
  const weights = Float32Array.from({ length: rows }, () => (random.uniform() < left ? 0 : random.uniform()));
  // Logits of order 3.
  const arrays = [normalNumbers(1, [rows, dModel]), normalNumbers(2, [vocabSize, dModel], 3 / Math.sqrt(dModel))];
  const upstream = factors === 'one' ? new Float32Array(rows).fill(0.3) : normalNumbers(4, [rows]);
  return () => {
    const [states, embedding] = [tf.tensor2d(arrays[0], [rows, dModel]), tf.tensor2d(arrays[1], [vocabSize, dModel])];
    const [labelTensor, weightTensor] = [tf.tensor1d(labels, 'int32'), tf.tensor1d(weights)];
    const apply = (...[s, e]: tf.Tensor[]): tf.Tensor =>
      plain
        ? softmaxCrossEntropyReference(tf.matMul(s, e, false, true) as tf.Tensor2D, labelTensor, weightTensor).losses
        : linearCrossEntropy(s as tf.Tensor2D, e as tf.Tensor2D, labelTensor, weightTensor);
    return [apply(states, embedding), ...tf.grads(apply)([states, embedding], tf.tensor1d(upstream))];
  };
}

async function expectAgreement(setting: Setting): Promise<void> {
  const apart = await differences(lossesAndGradients(setting, false), lossesAndGradients(setting, true));
  for (const difference of apart) expect(difference).toBeLessThan(TOLERANCE);
}

describeCompiled('LinearCrossEntropy', ['LinearCrossEntropy', 'LinearCrossEntropyGrad'], () => {
  it('agrees with the definition and its automatic gradient, any size', async () => {
    const size = fc.oneof(fc.constantFrom(1, 7, 33), fc.integer({ min: 1, max: 120 }));
    const settings = fc.record({
      rows: size,
      dModel: size,
      vocabSize: fc.integer({ min: 2, max: 200 }), // tf.oneHot takes no less than 2
      left: fc.constantFrom(0, 0.5, 0.95, 1),
      factors: fc.constantFrom('one' as const, 'each' as const),
    });
    await fc.assert(fc.asyncProperty(settings, expectAgreement), { numRuns: 40, seed: 12 });
  });

  it.each([
    ['chunks of rows', { rows: 900, dModel: 20, vocabSize: 70, left: 0.1 }],
    ['blocks of classes', { rows: 30, dModel: 5, vocabSize: 1301, left: 0.2 }],
    ['blocks of depth', { rows: 30, dModel: 801, vocabSize: 50, left: 0 }],
  ])('agrees over several %s', async (_, sizes) => {
    for (const factors of ['one', 'each'] as const) await expectAgreement({ ...sizes, factors });
  });

  it('computes only the wanted gradients, to the same bits', async () => {
    const compute = (want: { states: boolean; embedding: boolean }) => () => {
      const [states, embedding] = [
        tf.variable(tf.tensor2d(normalNumbers(1, [30, 8]), [30, 8])),
        tf.variable(tf.tensor2d(normalNumbers(2, [50, 8]), [50, 8])),
      ] as tf.Tensor[] as tf.Tensor2D[];
      const labels = tf.tensor1d(Int32Array.from({ length: 30 }, (_, t) => t));
      const loss = (): tf.Scalar => tf.sum(linearCrossEntropy(states, embedding, labels, tf.ones([30]), want));
      return Object.values(tf.variableGrads(loss).grads);
    };
    const all = await resultsOf(compute({ states: true, embedding: true }));
    expect(await resultsOf(compute({ states: true, embedding: false }))).toEqual(all.slice(0, 1));
    expect(await resultsOf(compute({ states: false, embedding: true }))).toEqual(all.slice(1));
  });

  it('keeps what is not a number', async () => {
    await startEngine();
    const states = tf.tensor2d([[Number.NaN], [1]]);
    const losses = linearCrossEntropy(states, tf.ones([5, 1]), tf.tensor1d([0, 0], 'int32'), tf.ones([2]));
    expect(Number.isNaN(losses.dataSync()[0])).toBe(true);
    expect(Number.isFinite(losses.dataSync()[1])).toBe(true);
  });

  it.each(['one', 'each'] as const)('leaves memory as it was, %s factor', async (factors) => {
    await startEngine();
    const compute = lossesAndGradients({ rows: 20, dModel: 8, vocabSize: 30, left: 0.2, factors }, false);
    const step = (): void => tf.tidy(() => void compute());
    step();
    const before = tf.memory();
    for (let i = 0; i < 100; i++) step();
    expect(tf.memory()).toEqual(before);
  });
});

describeCompiled('LinearCrossEntropy, labels', ['LinearCrossEntropy'], () => {
  it('names a label that is not in the vocabulary, unless its row does not count', async () => {
    await startEngine();
    const of = (weights: number[]): tf.Tensor =>
      linearCrossEntropy(tf.ones([2, 3]), tf.ones([4, 3]), tf.tensor1d([0, 4], 'int32'), tf.tensor1d(weights));
    expect(() => of([1, 1])).toThrow(
      'LinearCrossEntropy: expected labels in [0, 4) where the weight is not 0, got 4 in row 1',
    );
    expect(of([1, 0]).dataSync()[0]).toBeCloseTo(Math.log(4), 5);
  });
});
