import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { type TokenAttentionSettings, tokenAttention, tokenAttentionReference } from '#src/kernels';
import { createRandom } from '#src/random';
import { describeKernels, differences, normalNumbers, resultsOf, startEngine } from '../../support/kernelComparison.js';

// Of output and gradients alike.
const TOLERANCE = 2e-6;
// A few keys leave gradients that cancel (a single key: to zero); the largest measured is 3e-6.
const TOLERANCE_ODD = 1e-5;

interface Sizes {
  batch: number;
  queryLen: number;
  keyLen: number;
  headDim: number;
  /** Queries at the end whose output has no gradient. */
  silent?: number;
}

/** Output and gradients of q, k, v; by the fused op, or by automatic differentiation of the plain definition. */
function outputAndGradients(
  { batch, queryLen, keyLen, headDim, silent = 0 }: Sizes,
  settings: TokenAttentionSettings,
  keyMask: Float32Array | undefined,
  plain: boolean,
): () => tf.Tensor[] {
  const width = headDim * settings.numHeads;
  const shapes: [number, number, number][] = [
    [batch, queryLen, width],
    [batch, keyLen, width],
    [batch, keyLen, width],
  ];
  const arrays = shapes.map((shape, i) => normalNumbers(i, shape));
  const outputShape = settings.contextLen > 0 ? [2, ...shapes[0]] : shapes[0];
  const weight = normalNumbers(9, outputShape);
  for (let end = queryLen; end * width <= weight.length; end += queryLen) {
    weight.fill(0, Math.max(end - silent, end - queryLen) * width, end * width);
  }
  return () => {
    const inputs = arrays.map((array, i) => tf.tensor3d(array, shapes[i]));
    const mask = keyMask && tf.tensor2d(keyMask, [keyMask.length / keyLen, keyLen]);
    const apply = (...args: tf.Tensor[]): tf.Tensor => {
      const [q, k, v] = args as tf.Tensor3D[];
      if (plain) return tokenAttentionReference(q, k, v, mask, settings).output;
      return tokenAttention(q, k, v, settings, mask);
    };
    return [apply(...inputs), ...tf.grads(apply)(inputs, tf.tensor(weight, outputShape))];
  };
}

async function expectAgreement(
  sizes: Sizes,
  settings: TokenAttentionSettings,
  mask?: Float32Array,
  tolerance = TOLERANCE,
): Promise<void> {
  const apart = await differences(
    outputAndGradients(sizes, settings, mask, false),
    outputAndGradients(sizes, settings, mask, true),
  );
  for (const difference of apart) expect(difference).toBeLessThan(tolerance);
}

describeKernels('TokenAttention', ['TokenAttention', 'TokenAttentionGrad'], () => {
  it('agrees with the definition and its automatic gradient: sizes, prefixes, contexts, padding', async () => {
    const length = fc.oneof(fc.constantFrom(1, 7, 33), fc.integer({ min: 1, max: 24 }));
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      queryLen: length,
      keyLen: length,
      headDim: fc.constantFrom(1, 3, 5, 8, 24, 30),
      silent: fc.constantFrom(0, 0, 1, 6, 40),
    });
    const settings = fc.record({
      numHeads: fc.integer({ min: 1, max: 3 }),
      prefix: fc.double({ min: 0, max: 1, noNaN: true }),
      context: fc.constantFrom(0, 0, 0.3, 1),
      padding: fc.constantFrom('none', 'shared', 'some', 'all'),
    });
    const check = fc.asyncProperty(sizes, settings, async (shape, { numHeads, prefix, context, padding }) => {
      const { batch, keyLen } = shape;
      const share = { none: 0, shared: 0.3, some: 0.5, all: 1 }[padding];
      const random = createRandom(3, padding);
      const mask = Float32Array.from({ length: (padding === 'shared' ? 1 : batch) * keyLen }, () =>
        random.uniform() < share ? 0 : 1,
      );
      const lengths = { prefixLen: Math.round(prefix * keyLen), contextLen: Math.round(context * keyLen) };
      await expectAgreement(shape, { numHeads, ...lengths }, padding === 'none' ? undefined : mask, TOLERANCE_ODD);
    });
    await fc.assert(check, { numRuns: 80, seed: 2 });
  });

  it.each([
    { name: 'causal', prefixLen: 0, contextLen: 0 },
    { name: 'prefix and context', prefixLen: 700, contextLen: 600 },
    { name: 'full', prefixLen: 1100, contextLen: 0 },
  ])('agrees over several blocks of queries, $name', async ({ prefixLen, contextLen }) => {
    await expectAgreement(
      { batch: 1, queryLen: 130, keyLen: 1100, headDim: 12 },
      { numHeads: 1, prefixLen, contextLen },
    );
  });

  it('attends evenly where every key is hidden, and stays finite', async () => {
    const mask = new Float32Array(6); // all padding
    const sizes = { batch: 1, queryLen: 6, keyLen: 6, headDim: 4 };
    const settings = { numHeads: 2, prefixLen: 0, contextLen: 2 };
    await expectAgreement(sizes, settings, mask);
    const results = await resultsOf(outputAndGradients(sizes, settings, mask, false));
    expect(results.every((numbers) => numbers.every(Number.isFinite))).toBe(true);
  });

  it('leaves memory as it was', async () => {
    await startEngine();
    const settings = { numHeads: 2, prefixLen: 0, contextLen: 3 };
    const compute = outputAndGradients({ batch: 2, queryLen: 9, keyLen: 9, headDim: 4 }, settings, undefined, false);
    const step = (): void => tf.tidy(() => void compute());
    step();
    const before = tf.memory();
    for (let i = 0; i < 100; i++) step();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
  });
});
