import { describe, expect, it } from 'vitest';
import { gridInterpolation } from '../../../vision/objectives/bilinear.js';

describe('a grid', () => {
  it('of half as many cells to a side has the means of four', () => {
    const matrix = gridInterpolation(4, 2);
    const row = [...matrix.slice(3 * 16, 4 * 16)];
    // The last cell of the small grid: rows 2 and 3, columns 2 and 3 of the large one.
    expect(row).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.25, 0.25, 0, 0, 0.25, 0.25]);
  });

  it.each([
    [7, 3],
    [6, 3],
    [5, 2],
    [2, 1],
  ])('of %i by %i cells is interpolated with weights of sum 1', (from, to) => {
    const matrix = gridInterpolation(from, to);
    for (let cell = 0; cell < to ** 2; cell++) {
      const sum = matrix.slice(cell * from ** 2, (cell + 1) * from ** 2).reduce((total, weight) => total + weight, 0);
      expect(sum).toBeCloseTo(1, 6);
    }
  });
});
