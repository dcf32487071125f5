/**
 * @file The mathematics of TokenFormer once more, in plain float64 JavaScript and from the formulas of the paper alone:
 * it shares no code with what it is to check. Source: TokenFormer, arXiv 2410.23168, eq. 4 to 10 and 16.
 */

/** A row-major matrix. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

export type Activation = 'l2NormGelu' | 'geluL2Norm' | 'softmax';

export function matrix(rows: number, cols: number, data: ArrayLike<number>): Matrix {
  if (data.length !== rows * cols) throw new Error(`matrix: expected ${rows * cols} values, got ${data.length}`);
  return { rows, cols, data: Float64Array.from(data) };
}

/** a b. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  return matrixOf(a.rows, b.cols, (i, j) => {
    let sum = 0;
    for (let k = 0; k < a.cols; k++) sum += a.data[i * a.cols + k] * b.data[k * b.cols + j];
    return sum;
  });
}

export function transpose(a: Matrix): Matrix {
  return matrixOf(a.cols, a.rows, (i, j) => a.data[j * a.cols + i]);
}

export function add(a: Matrix, b: Matrix): Matrix {
  return { ...a, data: a.data.map((value, i) => value + b.data[i]) };
}

function matrixOf(rows: number, cols: number, at: (row: number, col: number) => number): Matrix {
  const data = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[i * cols + j] = at(i, j);
  return { rows, cols, data };
}

/** Applies a function to every row. */
export function mapRows(a: Matrix, row: (values: Float64Array, index: number) => ArrayLike<number>): Matrix {
  const data = new Float64Array(a.data.length);
  for (let i = 0; i < a.rows; i++) data.set(row(a.data.slice(i * a.cols, (i + 1) * a.cols), i), i * a.cols);
  return { ...a, data };
}

/** The error function, by a series of positive terms: about 1e-15. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export function gelu(z: number, kind: 'erf' | 'tanh' = 'erf'): number {
  const inner = kind === 'erf' ? erf(z / Math.SQRT2) : Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3));
  return (z * (1 + inner)) / 2;
}

export function softmax(values: Float64Array): Float64Array {
  const highest = Math.max(...values);
  const exps = values.map((value) => Math.exp(value - highest));
  const total = exps.reduce((sum, value) => sum + value, 0);
  return exps.map((value) => value / total);
}

export interface PattentionMath {
  readonly activation: Activation;
  readonly tau: number;
  readonly epsilon: number;
  readonly gelu: 'erf' | 'tanh';
}

/** Θ(x Kᵀ) V. */
export function pattention(x: Matrix, keys: Matrix, values: Matrix, math: PattentionMath): Matrix {
  const { activation, tau, epsilon } = math;
  const toNorm = (row: Float64Array): Float64Array => {
    const norm = Math.hypot(...row) + epsilon;
    return row.map((value) => (norm === 0 ? 0 : (tau * value) / norm));
  };
  const weights = mapRows(multiply(x, transpose(keys)), (row) => {
    if (activation === 'softmax') return softmax(row).map((value) => tau * value);
    if (activation === 'geluL2Norm') return toNorm(row.map((value) => gelu(value, math.gelu)));
    return toNorm(row).map((value) => gelu(value, math.gelu));
  });
  return multiply(weights, values);
}

/** (x − mean) / √(variance + ε), by row. */
export function layerNormalize(x: Matrix, epsilon = 1e-5): Matrix {
  return mapRows(x, (row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value) => (value - mean) / Math.sqrt(variance + epsilon));
  });
}

/** Rotary positions of one sequence x [seqLen, numHeads · headDim], the half-split form of GPT-NeoX. */
export function rotary(x: Matrix, numHeads: number, rotaryDims: number, startPosition = 0, base = 10_000): Matrix {
  const headDim = x.cols / numHeads;
  const half = rotaryDims / 2;
  return mapRows(x, (row, t) => {
    const turned = row.slice();
    for (let head = 0; head < numHeads; head++) {
      for (let i = 0; i < half; i++) {
        const angle = (startPosition + t) * base ** ((-2 * i) / rotaryDims);
        const [a, b] = [head * headDim + i, head * headDim + half + i];
        turned[a] = row[a] * Math.cos(angle) - row[b] * Math.sin(angle);
        turned[b] = row[b] * Math.cos(angle) + row[a] * Math.sin(angle);
      }
    }
    return turned;
  });
}

/**
 * Token-token attention of one sequence; `sees(i, j)` says whether query i sees key j. `fromKeys` counts only that many
 * keys in the output (not in the softmax).
 */
export function attention(
  q: Matrix,
  k: Matrix,
  v: Matrix,
  numHeads: number,
  sees: (query: number, key: number) => boolean,
  fromKeys = k.rows,
): Matrix {
  const headDim = q.cols / numHeads;
  return mapRows(q, (query, i) => {
    const output = new Float64Array(q.cols);
    for (let head = 0; head < numHeads; head++) {
      const scores = new Float64Array(k.rows).map((_, j) => {
        if (!sees(i, j)) return Number.NEGATIVE_INFINITY;
        let dot = 0;
        for (let d = head * headDim; d < (head + 1) * headDim; d++) dot += query[d] * k.data[j * k.cols + d];
        return dot / Math.sqrt(headDim);
      });
      for (const [j, share] of softmax(scores).entries()) {
        if (j >= fromKeys) continue;
        for (let d = head * headDim; d < (head + 1) * headDim; d++) output[d] += share * v.data[j * v.cols + d];
      }
    }
    return output;
  });
}

/** −log softmax(logits)[label], in nats. */
export function crossEntropy(logits: Float64Array, label: number): number {
  return -Math.log(softmax(logits)[label]);
}

/** d f(values + h · direction) / dh at h = 0, by a fourth-order central difference. */
export function directionalDerivative(
  f: (values: Float64Array) => number,
  values: ArrayLike<number>,
  direction: ArrayLike<number>,
  h = 1e-3,
): number {
  const at = (step: number): number => f(Float64Array.from(values, (value, i) => value + step * h * direction[i]));
  return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h);
}

/** Every partial derivative of f, by fourth-order central differences. */
export function numericGradient(
  f: (values: Float64Array) => number,
  values: ArrayLike<number>,
  h?: number,
): Float64Array {
  return Float64Array.from(values, (_, i) => {
    const direction = new Float64Array(values.length);
    direction[i] = 1;
    return directionalDerivative(f, values, direction, h);
  });
}
