import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { describeKernels, differences, normalNumbers, startEngine } from '../../support/kernelComparison.js';

// Sums of up to 600 products of normal numbers; 3e-7 measured.
const TOLERANCE = 2e-6;

function product(a: number[], b: number[], transposeA: boolean, transposeB: boolean): () => tf.Tensor[] {
  const left = normalNumbers(1, a);
  const right = normalNumbers(2, b);
  return () => [tf.matMul(tf.tensor(left, a), tf.tensor(right, b), transposeA, transposeB)];
}

describeKernels('BatchMatMul', ['BatchMatMul'], () => {
  it('multiplies matrices of any size, either operand stored transposed', async () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(64, 97, 300, 520));
    await fc.assert(
      fc.asyncProperty(size, size, size, fc.boolean(), fc.boolean(), async (m, n, depth, flipA, flipB) => {
        const a = flipA ? [depth, m] : [m, depth];
        const b = flipB ? [n, depth] : [depth, n];
        expect((await differences(product(a, b, flipA, flipB)))[0]).toBeLessThan(TOLERANCE);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it.each([
    { a: [5, 7, 3], b: [3, 4] },
    { a: [2, 3, 20, 16], b: [2, 3, 16, 20] },
    { a: [2, 1, 6, 5], b: [1, 3, 5, 9] },
    { a: [2, 3, 6, 5], b: [3, 5, 9] },
    { a: [4, 2, 3, 6, 5], b: [2, 1, 5, 9] },
    { a: [1, 6, 5], b: [4, 5, 9] },
  ])('broadcasts batches $a · $b', async ({ a, b }) => {
    const flip = (shape: number[]): number[] => [...shape.slice(0, -2), ...shape.slice(-2).reverse()];
    // Written out, because the cpu backend multiplies only as many matrices as the larger operand has.
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.slice(0, -2), b.slice(0, -2));
    const whole = (t: tf.Tensor): tf.Tensor => tf.broadcastTo(t, [...batch, ...t.shape.slice(-2)]);
    for (const flipA of [false, true]) {
      for (const flipB of [false, true]) {
        const [shapeA, shapeB] = [flipA ? flip(a) : a, flipB ? flip(b) : b];
        const reference = (): tf.Tensor[] => [
          tf.matMul(
            whole(tf.tensor(normalNumbers(1, shapeA), shapeA)),
            whole(tf.tensor(normalNumbers(2, shapeB), shapeB)),
            flipA,
            flipB,
          ),
        ];
        const [apart] = await differences(product(shapeA, shapeB, flipA, flipB), reference);
        expect(apart).toBeLessThan(TOLERANCE);
      }
    }
  });

  it('gives zeros for an inner size of zero and nothing for an outer one', async () => {
    await startEngine();
    expect([...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])).dataSync()]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...tf.matMul(tf.zeros([2, 0]), tf.zeros([3, 0]), false, true).dataSync()]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(tf.matMul(tf.zeros([0, 2]), tf.zeros([2, 3])).shape).toEqual([0, 3]);
  });

  it('carries NaN through', async () => {
    await startEngine();
    const [row, others] = tf.split(
      tf.matMul(
        tf.tensor2d([
          [Number.NaN, 1],
          [1, 2],
        ]),
        tf.ones([2, 9]),
      ),
      2,
    );
    expect([...row.dataSync()].every(Number.isNaN)).toBe(true);
    expect([...others.dataSync()]).toEqual(Array(9).fill(3));
  });
});
