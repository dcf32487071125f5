import { Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { leadingDirections, ridgeRegression } from '../../../fusion/alignment/leastSquares.js';
import { relativeError } from '../../support/closeness.js';
import { randomValues } from '../../support/randomValues.js';

function random(rows: number, columns: number, name: string): Matrix {
  return Matrix.from1DArray(rows, columns, [...randomValues(rows * columns, name)]);
}

describe('ridgeRegression', () => {
  it('finds the map that made the data when the ridge is small', () => {
    const [x, w] = [random(40, 7, 'x'), random(7, 5, 'w')];
    expect(relativeError(ridgeRegression(x, x.mmul(w), 1e-12).to1DArray(), w.to1DArray())).toBeLessThan(1e-10);
  });

  it('is where the gradient of its objective vanishes, with fewer rows than columns too', () => {
    for (const rows of [3, 40]) {
      const [x, y] = [random(rows, 7, 'x'), random(rows, 5, 'y')];
      const w = ridgeRegression(x, y, 0.3);
      const gram = x.transpose().mmul(x);
      const left = Matrix.add(gram.mmul(w), Matrix.mul(w, (0.3 * gram.trace()) / 7));
      expect(relativeError(left.to1DArray(), x.transpose().mmul(y).to1DArray())).toBeLessThan(1e-12);
    }
  });

  it('is 0 for inputs of zeros', () => {
    expect(ridgeRegression(new Matrix(4, 3), random(4, 2, 'y'), 0.1).to1DArray()).toEqual(new Array(6).fill(0));
  });
});

describe('leadingDirections', () => {
  it('are orthonormal, as many as the rank, and carry the whole matrix', () => {
    const y = random(30, 3, 'a').mmul(random(3, 8, 'b'));
    const directions = leadingDirections(y, 6);
    expect(directions.rows).toBe(3);
    const gram = directions.mmul(directions.transpose());
    expect(relativeError(gram.to1DArray(), Matrix.eye(3).to1DArray())).toBeLessThan(1e-12);
    const back = y.mmul(directions.transpose()).mmul(directions);
    expect(relativeError(back.to1DArray(), y.to1DArray())).toBeLessThan(1e-12);
  });

  it('come by length: a diagonal gives the axes of its largest entries', () => {
    const axes = leadingDirections(Matrix.diag([1, 5, 0.1, 3]), 2)
      .abs()
      .to1DArray();
    expect(relativeError(axes, [0, 1, 0, 0, 0, 0, 0, 1])).toBeLessThan(1e-9);
  });

  it('has none for zeros', () => {
    expect(leadingDirections(new Matrix(2, 3), 2).rows).toBe(0);
  });
});
