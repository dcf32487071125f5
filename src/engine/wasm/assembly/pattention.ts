/**
 * @file Pattention Y = Θ(X Kᵀ) V and its gradients, a block of rows at a time.
 *
 * The scores A are an output (the backward pass starts from them); the weights S = Θ(A) exist for one block only.
 */
import { multiply, multiplyTransposed, WORK_BYTES } from './matrixProduct';
import { packColumns, packedBytes, packTransposedColumns, panelBytes } from './packing';
import { weightsGradientRow, weightsRow } from './parameterWeights';
import { blockRows } from './rowBlocks';
import { rowsTimesColumns, rowsTimesMatrix, THIN_ROWS } from './thinProduct';

/** Scratch bytes of `pattention`. */
export function pattentionScratch(dIn: i32, n: i32, dOut: i32): usize {
  return WORK_BYTES + packedBytes(dIn, n) + packedBytes(n, dOut) + <usize>blockRows(n) * n * sizeof<f32>();
}

/**
 * scores [tokens, n] = X Kᵀ and output [tokens, dOut] = Θ(scores) V.
 *
 * @param x [tokens, dIn]
 * @param keys [n, dIn]
 * @param values [n, dOut]
 */
export function pattention(
  x: usize,
  keys: usize,
  values: usize,
  output: usize,
  scores: usize,
  tokens: i32,
  dIn: i32,
  n: i32,
  dOut: i32,
  mode: i32,
  tanhForm: bool,
  epsilon: f32,
  tau: f32,
  scratch: usize,
): void {
  const xRow = <usize>dIn * sizeof<f32>();
  const sRow = <usize>n * sizeof<f32>();
  const yRow = <usize>dOut * sizeof<f32>();
  const packedKeys = scratch + WORK_BYTES;
  const packedValues = packedKeys + packedBytes(dIn, n);
  const weights = packedValues + packedBytes(n, dOut);
  const thin = tokens <= THIN_ROWS;
  if (!thin) {
    packTransposedColumns(keys, xRow, dIn, n, packedKeys);
    packColumns(values, yRow, n, dOut, packedValues);
  }
  const block = blockRows(n);
  for (let t = 0; t < tokens; t += block) {
    const rows = min(block, tokens - t);
    const blockX = x + t * xRow;
    const blockScores = scores + t * sRow;
    const blockY = output + t * yRow;
    if (thin) rowsTimesColumns(blockX, xRow, keys, xRow, blockScores, sRow, rows, n, dIn);
    else multiply(blockX, xRow, packedKeys, panelBytes(dIn), blockScores, sRow, rows, n, dIn, false, scratch);
    for (let r = 0; r < rows; r++) {
      weightsRow(blockScores + r * sRow, weights + r * sRow, n, mode, tanhForm, epsilon, tau);
    }
    if (thin) rowsTimesMatrix(weights, sRow, values, yRow, blockY, yRow, rows, dOut, n, false, scratch, packedValues);
    else multiply(weights, sRow, packedValues, panelBytes(n), blockY, yRow, rows, dOut, n, false, scratch);
  }
}

/** Scratch bytes of `pattentionGradient`. */
export function pattentionGradientScratch(dIn: i32, n: i32, dOut: i32): usize {
  const block = blockRows(n);
  return (
    WORK_BYTES +
    packedBytes(dOut, n) +
    packedBytes(n, dIn) +
    packedBytes(block, dIn) +
    packedBytes(block, dOut) +
    2 * <usize>block * n * sizeof<f32>()
  );
}

/**
 * Gradients of Y = Θ(A) V, A = X Kᵀ, from dY and A: dS = dY Vᵀ, dX = dA K, dK = dAᵀ X, dV = Sᵀ dY.
 *
 * @param dX [tokens, dIn], or 0 when not wanted
 * @param dKeys [n, dIn] and dValues [n, dOut], or both 0
 */
export function pattentionGradient(
  dY: usize,
  x: usize,
  keys: usize,
  values: usize,
  scores: usize,
  dX: usize,
  dKeys: usize,
  dValues: usize,
  tokens: i32,
  dIn: i32,
  n: i32,
  dOut: i32,
  mode: i32,
  tanhForm: bool,
  epsilon: f32,
  tau: f32,
  scratch: usize,
): void {
  const xRow = <usize>dIn * sizeof<f32>();
  const sRow = <usize>n * sizeof<f32>();
  const yRow = <usize>dOut * sizeof<f32>();
  const block = blockRows(n);
  const packedValues = scratch + WORK_BYTES;
  const packedKeys = packedValues + packedBytes(dOut, n);
  const packedX = packedKeys + packedBytes(n, dIn);
  const packedY = packedX + packedBytes(block, dIn);
  const weights = packedY + packedBytes(block, dOut);
  const slopes = weights + <usize>block * sRow; // dS, then dA
  packTransposedColumns(values, yRow, dOut, n, packedValues);
  if (dX != 0) packColumns(keys, xRow, n, dIn, packedKeys);
  if (dKeys != 0 && tokens == 0) {
    memory.fill(dKeys, 0, <usize>n * xRow);
    memory.fill(dValues, 0, <usize>n * yRow);
  }
  for (let t = 0; t < tokens; t += block) {
    const rows = min(block, tokens - t);
    const blockY = dY + t * yRow;
    multiply(blockY, yRow, packedValues, panelBytes(dOut), slopes, sRow, rows, n, dOut, false, scratch);
    for (let r = 0; r < rows; r++) {
      const a = scores + (t + r) * sRow;
      weightsGradientRow(a, weights + r * sRow, slopes + r * sRow, n, mode, tanhForm, epsilon, tau);
    }
    if (dX != 0) {
      multiply(slopes, sRow, packedKeys, panelBytes(n), dX + t * xRow, xRow, rows, dIn, n, false, scratch);
    }
    if (dKeys != 0) {
      packColumns(x + t * xRow, xRow, rows, dIn, packedX);
      multiplyTransposed(slopes, sRow, packedX, panelBytes(rows), dKeys, xRow, n, dIn, rows, t > 0, scratch);
      packColumns(blockY, yRow, rows, dOut, packedY);
      multiplyTransposed(weights, sRow, packedY, panelBytes(rows), dValues, yRow, n, dOut, rows, t > 0, scratch);
    }
  }
}
