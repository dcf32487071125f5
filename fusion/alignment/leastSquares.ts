/** @file Linear least squares of matrices with a few hundred columns, in double precision. */
import { createRandom } from '#src/random';

/** A matrix, row by row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** Steps of the subspace iteration. */
const ITERATIONS = 60;
/** A direction of less than this share of the largest length is rounding. */
const NEGLIGIBLE = 1e-9;

export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, values: new Float64Array(rows * columns) };
}

export function transposed(a: Matrix): Matrix {
  const out = zeros(a.columns, a.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.columns; j++) out.values[j * a.rows + i] = a.values[i * a.columns + j];
  }
  return out;
}

export function product(a: Matrix, b: Matrix): Matrix {
  const out = zeros(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.values[i * a.columns + k];
      if (factor === 0) continue;
      for (let j = 0; j < b.columns; j++) out.values[i * b.columns + j] += factor * b.values[k * b.columns + j];
    }
  }
  return out;
}

/**
 * Ridge regression without an intercept: the W that minimises ‖XW − Y‖² + λ‖W‖², λ = ridge · tr(XᵀX) / dIn.
 *
 * @param x [n, dIn]
 * @param y [n, dOut]
 * @param ridge above 0
 * @returns W, [dIn, dOut]
 */
export function ridgeRegression(x: Matrix, y: Matrix, ridge: number): Matrix {
  const { columns: d } = x;
  const xt = transposed(x);
  const { values: gram } = product(xt, x); // [dIn, dIn]
  let trace = 0;
  for (let i = 0; i < d; i++) trace += gram[i * d + i];
  // Data of zeros alone give W = 0.
  for (let i = 0; i < d; i++) gram[i * d + i] += (ridge * trace) / d || 1;
  return solved(gram, product(xt, y));
}

/** A⁻¹ B of a positive definite A, by its Cholesky factor; both are overwritten. */
function solved(a: Float64Array, b: Matrix): Matrix {
  const { rows: d, columns, values } = b;
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let sum = a[i * d + j];
      for (let k = 0; k < j; k++) sum -= a[i * d + k] * a[j * d + k];
      a[i * d + j] = i === j ? Math.sqrt(sum) : sum / a[j * d + j];
    }
  }
  const subtract = (to: number, from: number, factor: number): void => {
    for (let c = 0; c < columns; c++) values[to * columns + c] -= factor * values[from * columns + c];
  };
  const divide = (row: number): void => {
    for (let c = 0; c < columns; c++) values[row * columns + c] /= a[row * d + row];
  };
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < i; k++) subtract(i, k, a[i * d + k]);
    divide(i);
  }
  for (let i = d - 1; i >= 0; i--) {
    for (let k = i + 1; k < d; k++) subtract(i, k, a[k * d + i]);
    divide(i);
  }
  return b;
}

/**
 * The directions along which the rows of a matrix are longest, its leading right singular vectors, by subspace iteration.
 *
 * @param y [n, d]
 * @returns orthonormal rows, at most `count` and as many as the rank of y, [≤ count, d]
 */
export function leadingDirections(y: Matrix, count: number): Matrix {
  const d = y.columns;
  const gram = product(transposed(y), y); // [d, d]
  const random = createRandom(0, 'leadingDirections');
  let basis = zeros(Math.min(count, d), d);
  for (let i = 0; i < basis.values.length; i++) basis.values[i] = random.normal();
  for (let step = 0; step < ITERATIONS; step++) basis = orthonormal(product(basis, gram));
  return basis;
}

/** Gram-Schmidt, twice for full precision; rows that depend on those before them are left out. */
function orthonormal({ rows, columns: d, values }: Matrix): Matrix {
  const kept: Float64Array[] = [];
  let longest = 0;
  for (let i = 0; i < rows; i++) {
    const row = values.slice(i * d, (i + 1) * d);
    longest = Math.max(longest, Math.sqrt(dot(row, row)));
    for (let pass = 0; pass < 2; pass++) {
      for (const other of kept) {
        const along = dot(row, other);
        for (let j = 0; j < d; j++) row[j] -= along * other[j];
      }
    }
    const length = Math.sqrt(dot(row, row));
    if (length > NEGLIGIBLE * longest) kept.push(row.map((value) => value / length));
  }
  const out = zeros(kept.length, d);
  for (const [i, row] of kept.entries()) out.values.set(row, i * d);
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
