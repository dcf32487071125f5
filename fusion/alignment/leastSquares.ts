import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** A direction whose square sum is less than this share of the largest is rounding. */
const NEGLIGIBLE = 1e-9;

/**
 * Ridge regression without an intercept: the W that minimises ‖XW − Y‖² + λ‖W‖², λ = ridge · tr(XᵀX) / dIn.
 *
 * @param x [n, dIn]
 * @param y [n, dOut]
 * @param ridge above 0
 * @returns W, [dIn, dOut]
 */
export function ridgeRegression(x: Matrix, y: Matrix, ridge: number): Matrix {
  const xt = x.transpose();
  const gram = xt.mmul(x); // [dIn, dIn]
  // Data of zeros alone give W = 0.
  const lambda = (ridge * gram.trace()) / gram.rows || 1;
  return new CholeskyDecomposition(gram.add(Matrix.eye(gram.rows).mul(lambda))).solve(xt.mmul(y));
}

/**
 * The directions along which the rows of a matrix are longest, its leading right singular vectors.
 *
 * @param y [n, d]
 * @returns orthonormal rows, the longest first, at most `count` and as many as the rank of y, [≤ count, d]
 */
export function leadingDirections(y: Matrix, count: number): Matrix {
  const gram = y.transpose().mmul(y); // [d, d]
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const largest = Math.max(...realEigenvalues);
  const chosen = realEigenvalues
    .map((value, column) => ({ value, column }))
    .filter(({ value }) => value > NEGLIGIBLE * largest)
    .sort((a, b) => b.value - a.value)
    .slice(0, count);
  return eigenvectorMatrix.subMatrixColumn(chosen.map(({ column }) => column)).transpose();
}
