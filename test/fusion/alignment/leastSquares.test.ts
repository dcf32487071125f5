import { describe, expect, it } from 'vitest';
import {
  leadingDirections,
  type Matrix,
  product,
  ridgeRegression,
  transposed,
} from '../../../fusion/alignment/leastSquares.js';
import { relativeError } from '../../support/closeness.js';
import { randomValues } from '../../support/randomValues.js';

function random(rows: number, columns: number, name: string): Matrix {
  return { rows, columns, values: Float64Array.from(randomValues(rows * columns, name)) };
}

describe('ridgeRegression', () => {
  it('finds the map that made the data when the ridge is small', () => {
    const [x, w] = [random(40, 7, 'x'), random(7, 5, 'w')];
    expect(relativeError(ridgeRegression(x, product(x, w), 1e-12).values, w.values)).toBeLessThan(1e-10);
  });

  it('is where the gradient of its objective vanishes, with fewer rows than columns too', () => {
    for (const rows of [3, 40]) {
      const [x, y] = [random(rows, 7, 'x'), random(rows, 5, 'y')];
      const w = ridgeRegression(x, y, 0.3);
      const gram = product(transposed(x), x);
      const trace = Array.from({ length: 7 }, (_, i) => gram.values[8 * i]).reduce((sum, value) => sum + value);
      const left = product(gram, w).values.map((value, i) => value + ((0.3 * trace) / 7) * w.values[i]);
      expect(relativeError(left, product(transposed(x), y).values)).toBeLessThan(1e-12);
    }
  });

  it('is 0 for inputs of zeros', () => {
    const x = { rows: 4, columns: 3, values: new Float64Array(12) };
    expect([...ridgeRegression(x, random(4, 2, 'y'), 0.1).values]).toEqual(new Array(6).fill(0));
  });
});

describe('leadingDirections', () => {
  it('are orthonormal, as many as the rank, and carry the whole matrix', () => {
    const y = product(random(30, 3, 'a'), random(3, 8, 'b'));
    const directions = leadingDirections(y, 6);
    expect(directions.rows).toBe(3);
    expect(relativeError(product(directions, transposed(directions)).values, [1, 0, 0, 0, 1, 0, 0, 0, 1])).toBeLessThan(
      1e-12,
    );
    const back = product(product(y, transposed(directions)), directions);
    expect(relativeError(back.values, y.values)).toBeLessThan(1e-12);
  });

  it('come by length: a diagonal gives the axes of its largest entries', () => {
    const y = { rows: 4, columns: 4, values: Float64Array.of(1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0.1, 0, 0, 0, 0, 3) };
    const axes = Array.from(leadingDirections(y, 2).values, Math.abs);
    expect(relativeError(axes, [0, 1, 0, 0, 0, 0, 0, 1])).toBeLessThan(1e-9);
  });

  it('has none for zeros', () => {
    expect(leadingDirections({ rows: 2, columns: 3, values: new Float64Array(6) }, 2).rows).toBe(0);
  });
});
