import { describe, expect, it } from 'vitest';
import type { tf } from '#src/engine';
import { axisSwap, batchPlaces, matMulShapes, rotaryTable, rotaryTables } from '../../../src/engine/shared/index.js';

const info = (...shape: number[]): tf.TensorInfo => ({ dataId: {}, shape, dtype: 'float32' });

describe('axisSwap', () => {
  it.each([
    { shape: [2, 3], perm: [1, 0], sizes: [1, 2, 3, 1] },
    { shape: [5, 2, 3, 7], perm: [0, 2, 1, 3], sizes: [5, 2, 3, 7] },
    { shape: [2, 3, 4], perm: [1, 2, 0], sizes: [1, 2, 12, 1] },
    { shape: [2, 1, 3], perm: [2, 1, 0], sizes: [1, 2, 3, 1] },
  ])('reads $perm of [$shape] as a swap of two neighbours', ({ shape, perm, sizes }) => {
    expect(axisSwap(shape, perm)).toEqual(sizes);
  });

  it.each([
    { shape: [2, 3], perm: [0, 1] },
    { shape: [2, 3, 4], perm: [2, 1, 0] },
    { shape: [1, 3], perm: [1, 0] },
  ])('has none for $perm of [$shape]', ({ shape, perm }) => {
    expect(axisSwap(shape, perm)).toBeUndefined();
  });
});

describe('matMulShapes', () => {
  const plain = { transposeA: false, transposeB: false };

  it('gives the sizes of the product, transposed operands and broadcast batches included', () => {
    expect(matMulShapes('wasm', info(5, 1, 4, 2), info(3, 4, 6), { ...plain, transposeA: true })).toEqual({
      ...{ m: 2, n: 6, depth: 4 },
      ...{ batch: [5, 3], batchA: [5, 1], batchB: [3] },
    });
  });

  it('refuses what cannot be multiplied', () => {
    expect(() => matMulShapes('wasm', info(2, 3), info(2, 3), plain)).toThrow(
      'BatchMatMul: expected inner sizes to agree, got [2,3] · [2,3] with transposeA=false, transposeB=false',
    );
    expect(() => matMulShapes('wasm', info(3), info(3, 2), plain)).toThrow('expected matrices, got [3] and [3,2]');
    expect(() => matMulShapes('wasm', { ...info(2, 2), dtype: 'int32' }, info(2, 2), plain)).toThrow(
      'expected float32 operands on wasm, got int32 and float32',
    );
  });

  it('finds the matrix of a broadcast operand', () => {
    const places = (own: number[]): number[] => [0, 1, 2, 3, 4, 5].map(batchPlaces([2, 3], own));
    expect(places([])).toEqual([0, 0, 0, 0, 0, 0]);
    expect(places([2, 3])).toEqual([0, 1, 2, 3, 4, 5]);
    expect(places([3])).toEqual([0, 1, 2, 0, 1, 2]);
    expect(places([2, 1])).toEqual([0, 0, 0, 1, 1, 1]);
  });
});

describe('rotaryTable', () => {
  it('holds cosines, then sines times the direction, of positions times falling frequencies', () => {
    const [forward, back] = ([1, -1] as const).map((direction) => rotaryTable(3, 2, 5, 100, direction));
    const angles = [5, 0.5, 6, 0.6, 7, 0.7];
    for (const [i, angle] of angles.entries()) {
      expect(forward[i]).toBeCloseTo(Math.cos(angle), 6);
      expect(forward[6 + i]).toBeCloseTo(Math.sin(angle), 6);
      expect([back[i], back[6 + i]]).toEqual([forward[i], -forward[6 + i]]);
    }
  });

  it('is computed once for each setting', () => {
    const tables = rotaryTables();
    expect(tables(3, 2, 5, 100, 1)).toBe(tables(3, 2, 5, 100, 1));
    expect(tables(3, 2, 5, 100, 1)).not.toBe(tables(3, 2, 5, 100, -1));
  });
});
