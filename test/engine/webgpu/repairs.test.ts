import { beforeAll, describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';

function normals(size: number, scope: string): Float32Array {
  const random = createRandom(5, scope);
  return Float32Array.from({ length: size }, random.normal);
}

describe.skipIf(process.env.TOKENFUSE_TEST_WEBGPU !== '1')('ordered sums on webgpu', () => {
  beforeAll(async () => {
    await selectEngine('webgpu', { allowSoftwareAdapter: true });
  });

  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('a product that would be split along its inner dimension is right: %s %s', async (transposeA, transposeB) => {
    const [rows, inner, columns] = [20, 2048, 12];
    const a = normals(rows * inner, 'a');
    const b = normals(inner * columns, 'b');
    const product = tf.matMul(
      tf.tensor2d(a, transposeA ? [inner, rows] : [rows, inner]),
      tf.tensor2d(b, transposeB ? [columns, inner] : [inner, columns]),
      transposeA,
      transposeB,
    );
    const values = await product.data();
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          sum +=
            a[transposeA ? k * rows + row : row * inner + k] *
            b[transposeB ? column * inner + k : k * columns + column];
        }
        expect(Math.abs(values[row * columns + column] - sum)).toBeLessThan(2e-3);
      }
    }
  });

  it('sums rows by segment and drops ids outside the range', async () => {
    const x = tf.tensor3d([1, 2, 10, 20, 100, 200, 5, 5], [4, 1, 2]);
    const sums = tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 2, 7], 'int32'), 3);
    expect(sums.shape).toEqual([3, 1, 2]);
    expect([...(await sums.data())]).toEqual([10, 20, 0, 0, 101, 202]);
  });

  it('differentiates gather as an embedding needs it', async () => {
    const ids = tf.tensor2d([3, 1, 3, 4], [2, 2], 'int32');
    const gradient = tf.grad((table) => tf.sum(tf.square(tf.gather(table, ids))))(tf.ones([5, 3]));
    expect([...(await gradient.data())]).toEqual([0, 0, 0, 2, 2, 2, 0, 0, 0, 4, 4, 4, 2, 2, 2]);
  });

  it.each([1, 7, 8, 40])('adds up %d tensors, more than a shader may bind', async (count) => {
    const sum = tf.addN(Array.from({ length: count }, (_, i) => tf.tensor1d([1, i])));
    expect([...(await sum.data())]).toEqual([count, (count * (count - 1)) / 2]);
  });

  it.each([
    { shape: [0, 3], axis: undefined, keepDims: false, sums: [] },
    { shape: [0, 3], axis: 0, keepDims: false, sums: [3] },
    { shape: [2, 0], axis: 1, keepDims: true, sums: [2, 1] },
  ])('a sum over nothing is zero: $shape along $axis', async ({ shape, axis, keepDims, sums }) => {
    const sum = tf.sum(tf.zeros(shape), axis, keepDims);
    expect(sum.shape).toEqual(sums);
    expect([...(await sum.data())].every((value) => value === 0)).toBe(true);
  });
});
