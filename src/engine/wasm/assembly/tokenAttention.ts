/**
 * @file Attention softmax(q kᵀ/√headDim + mask) v per head, a block of queries at a time.
 *
 * Tensors stay in [batch, len, numHeads · headDim]: a head is a strided matrix. No [queryLen, keyLen] array outlives
 * its block; left for the backward pass is the log-sum-exp of every row, from which it gets the probabilities again.
 */
import { blockExtent, firstUnpadded, maskRow, visibleKeys } from './attentionMask';
import { multiply, WORK_BYTES } from './matrixProduct';
import { packColumns, packedBytes, packTransposedColumns, panelBytes } from './packing';
import { blockRows } from './rowBlocks';
import { logarithm, rowExp, rowMax, rowScale } from './softmaxRow';
import { rowsTimesColumns, rowsTimesMatrix, THIN_ROWS } from './thinProduct';

/** Scratch bytes of `tokenAttention`. */
export function tokenAttentionScratch(keyLen: i32, headDim: i32): usize {
  return (
    WORK_BYTES +
    packedBytes(headDim, keyLen) +
    packedBytes(keyLen, headDim) +
    <usize>blockRows(keyLen) * keyLen * sizeof<f32>()
  );
}

/**
 * @param q [batch, queryLen, numHeads · headDim]
 * @param k [batch, keyLen, numHeads · headDim], and v
 * @param keyMask [batch, keyLen], batches `maskBatch` bytes apart; 0 for none
 * @param output [batch, queryLen, numHeads · headDim], followed by the part from the context when contextLen > 0
 * @param logSumExp [batch, numHeads, queryLen]
 */
export function tokenAttention(
  q: usize,
  k: usize,
  v: usize,
  keyMask: usize,
  maskBatch: usize,
  output: usize,
  logSumExp: usize,
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
  const packedKeys = scratch + WORK_BYTES;
  const packedValues = packedKeys + packedBytes(headDim, keyLen);
  const scores = packedValues + packedBytes(keyLen, headDim);
  const fromContext = output + <usize>(batch * queryLen) * row;
  const panel = panelBytes(headDim);
  const thin = queryLen <= THIN_ROWS;
  const block = blockRows(keyLen);
  for (let b = 0; b < batch; b++) {
    const mask = keyMask == 0 ? 0 : keyMask + b * maskBatch;
    const firstSeen = firstUnpadded(mask, keyLen);
    for (let h = 0; h < numHeads; h++) {
      const head = <usize>(h * headDim) * sizeof<f32>();
      const keys = k + <usize>(b * keyLen) * row + head;
      const values = v + <usize>(b * keyLen) * row + head;
      if (!thin) {
        packTransposedColumns(keys, row, headDim, keyLen, packedKeys);
        packColumns(values, row, keyLen, headDim, packedValues);
      }
      for (let i = 0; i < queryLen; i += block) {
        const rows = min(block, queryLen - i);
        const extent = blockExtent(i, rows, queryLen, keyLen, prefixLen, firstSeen);
        const at = <usize>(b * queryLen + i) * row + head;
        if (thin) rowsTimesColumns(q + at, row, keys, row, scores, scoreRow, rows, extent, headDim);
        else multiply(q + at, row, packedKeys, panel, scores, scoreRow, rows, extent, headDim, false, scratch);
        for (let r = 0; r < rows; r++) {
          const visible = visibleKeys(i + r, queryLen, keyLen, prefixLen);
          const blind = visible <= firstSeen;
          const width = blind ? keyLen : visible;
          const s = scores + r * scoreRow;
          maskRow(s, mask, visible, keyLen, blind, scale);
          const largest = rowMax(s, width);
          const sum = rowExp(s, s, width, largest);
          rowScale(s, width, 1 / sum);
          memory.fill(s + width * sizeof<f32>(), 0, <usize>(extent - width) * sizeof<f32>());
          const place = (b * numHeads + h) * queryLen + i + r;
          store<f32>(logSumExp + place * sizeof<f32>(), largest + logarithm(sum));
        }
        const context = min(contextLen, extent);
        if (context > 0) {
          weightedValues(
            scores,
            scoreRow,
            values,
            packedValues,
            fromContext + at,
            row,
            rows,
            headDim,
            keyLen,
            0,
            context,
            false,
            thin,
            scratch,
          );
          for (let r = 0; r < rows; r++) {
            memory.copy(output + at + r * row, fromContext + at + r * row, <usize>headDim * sizeof<f32>());
          }
        }
        weightedValues(
          scores,
          scoreRow,
          values,
          packedValues,
          output + at,
          row,
          rows,
          headDim,
          keyLen,
          context,
          extent,
          context > 0,
          thin,
          scratch,
        );
      }
    }
  }
}

/** out = or += P[:, from..to] V[from..to] for one head. */
function weightedValues(
  p: usize,
  pRow: usize,
  values: usize,
  packedValues: usize,
  out: usize,
  row: usize,
  rows: i32,
  headDim: i32,
  keyLen: i32,
  from: i32,
  to: i32,
  accumulate: bool,
  thin: bool,
  scratch: usize,
): void {
  const depth = to - from;
  const weights = p + from * sizeof<f32>();
  if (thin) {
    const first = values + from * row;
    rowsTimesMatrix(weights, pRow, first, row, out, row, rows, headDim, depth, accumulate, scratch, packedValues);
  } else {
    const packed = packedValues + panelBytes(from);
    multiply(weights, pRow, packed, panelBytes(keyLen), out, row, rows, headDim, depth, accumulate, scratch);
  }
}
