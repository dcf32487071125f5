/** @file The gradients of `tokenAttention`, a block of queries at a time. */
import { blockExtent, firstUnpadded, maskRow, visibleKeys } from './attentionMask';
import { multiply, multiplyTransposed, WORK_BYTES } from './matrixProduct';
import { packColumns, packedBytes, packTransposedColumns, panelBytes } from './packing';
import { blockRows } from './rowBlocks';
import { rowDot, rowExp } from './softmaxRow';
import { storeEnd } from './vectorMath';

/** Scratch bytes of `tokenAttentionGradient`. */
export function tokenAttentionGradientScratch(keyLen: i32, headDim: i32): usize {
  const block = blockRows(keyLen);
  return (
    WORK_BYTES +
    2 * packedBytes(headDim, keyLen) +
    packedBytes(keyLen, headDim) +
    packedBytes(block, headDim) +
    2 * <usize>block * keyLen * sizeof<f32>()
  );
}

/**
 * With P the probabilities, C the part of the output from the context, <·,·> along a row:
 *
 *   dV = Pᵀ dO (+ Pᵀ dC on context keys),  dP = dO Vᵀ (+ dC Vᵀ on context keys),
 *   dA = P (dP − <O, dO> − <C, dC>)/√headDim,  dQ = dA K,  dK = dAᵀ Q
 *
 * @param dOutput and `output`, `logSumExp`: as `tokenAttention` shapes them
 */
export function tokenAttentionGradient(
  dOutput: usize,
  q: usize,
  k: usize,
  v: usize,
  output: usize,
  logSumExp: usize,
  keyMask: usize,
  maskBatch: usize,
  dQ: usize,
  dK: usize,
  dV: usize,
  batch: i32,
  queryLen: i32,
  keyLen: i32,
  numHeads: i32,
  headDim: i32,
  prefixLen: i32,
  contextLen: i32,
  scratch: usize,
): void {
  const row = <usize>(numHeads * headDim) * sizeof<f32>();
  const scoreRow = <usize>keyLen * sizeof<f32>();
  const scale: f32 = 1 / sqrt<f32>(<f32>headDim);
  const block = blockRows(keyLen);
  const panel = panelBytes(headDim);
  const scoreKeys = scratch + WORK_BYTES; // columns of Kᵀ
  const scoreValues = scoreKeys + packedBytes(headDim, keyLen); // columns of Vᵀ
  const packedKeys = scoreValues + packedBytes(headDim, keyLen); // columns of K
  const packedRows = packedKeys + packedBytes(keyLen, headDim); // a block of Q, dO or dC
  const p = packedRows + packedBytes(block, headDim);
  const d = p + <usize>block * scoreRow; // dP, then dA
  const toContext = <usize>(batch * queryLen) * row;
  memory.fill(dK, 0, <usize>(batch * keyLen) * row);
  memory.fill(dV, 0, <usize>(batch * keyLen) * row);
  for (let b = 0; b < batch; b++) {
    const mask = keyMask == 0 ? 0 : keyMask + b * maskBatch;
    const firstSeen = firstUnpadded(mask, keyLen);
    for (let h = 0; h < numHeads; h++) {
      const head = <usize>(h * headDim) * sizeof<f32>();
      const keyAt = <usize>(b * keyLen) * row + head;
      packTransposedColumns(k + keyAt, row, headDim, keyLen, scoreKeys);
      packTransposedColumns(v + keyAt, row, headDim, keyLen, scoreValues);
      packColumns(k + keyAt, row, keyLen, headDim, packedKeys);
      for (let i = 0; i < queryLen; i += block) {
        const rows = min(block, queryLen - i);
        const extent = blockExtent(i, rows, queryLen, keyLen, prefixLen, firstSeen);
        const context = min(contextLen, extent);
        const at = <usize>(b * queryLen + i) * row + head;
        const dO = dOutput + at;
        const dC = dO + toContext;
        const dKeys = dK + keyAt;
        const dValues = dV + keyAt;
        const rowPanel = panelBytes(rows);
        multiply(q + at, row, scoreKeys, panel, p, scoreRow, rows, extent, headDim, false, scratch);
        multiply(dO, row, scoreValues, panel, d, scoreRow, rows, extent, headDim, false, scratch);
        if (context > 0) multiply(dC, row, scoreValues, panel, d, scoreRow, rows, context, headDim, true, scratch);
        for (let r = 0; r < rows; r++) {
          const visible = visibleKeys(i + r, queryLen, keyLen, prefixLen);
          const blind = visible <= firstSeen;
          const width = blind ? keyLen : visible;
          const pr = p + r * scoreRow;
          const dr = d + r * scoreRow;
          const o = output + at + r * row;
          maskRow(pr, mask, visible, keyLen, blind, scale);
          rowExp(pr, pr, width, load<f32>(logSumExp + ((b * numHeads + h) * queryLen + i + r) * sizeof<f32>()));
          let mean = rowDot(o, dO + r * row, headDim);
          if (context > 0) mean += rowDot(o + toContext, dC + r * row, headDim);
          scoreGradientRow(pr, dr, width, mean, scale);
          memory.fill(pr + width * sizeof<f32>(), 0, <usize>(extent - width) * sizeof<f32>());
          memory.fill(dr + width * sizeof<f32>(), 0, <usize>(extent - width) * sizeof<f32>());
        }
        multiply(d, scoreRow, packedKeys, panelBytes(keyLen), dQ + at, row, rows, headDim, extent, false, scratch);
        packColumns(q + at, row, rows, headDim, packedRows);
        multiplyTransposed(d, scoreRow, packedRows, rowPanel, dKeys, row, extent, headDim, rows, true, scratch);
        packColumns(dO, row, rows, headDim, packedRows);
        multiplyTransposed(p, scoreRow, packedRows, rowPanel, dValues, row, extent, headDim, rows, true, scratch);
        if (context > 0) {
          packColumns(dC, row, rows, headDim, packedRows);
          multiplyTransposed(p, scoreRow, packedRows, rowPanel, dValues, row, context, headDim, rows, true, scratch);
        }
      }
    }
  }
}

/** d = p (d − mean) · scale */
function scoreGradientRow(p: usize, d: usize, n: i32, mean: f32, scale: f32): void {
  const shift = f32x4.splat(mean);
  const by = f32x4.splat(scale);
  for (let j = 0; j < n; j += 4) {
    const value = f32x4.mul(f32x4.mul(v128.load(p), by), f32x4.sub(v128.load(d), shift));
    if (n - j >= 4) v128.store(d, value);
    else storeEnd(d, value, n - j);
    p += 16;
    d += 16;
  }
}
