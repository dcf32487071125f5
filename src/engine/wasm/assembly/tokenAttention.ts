/**
 * @file Attention softmax(q kᵀ/√headDim + mask) v per head, and its gradients, a block of queries at a time.
 *
 * Tensors stay in [batch, len, numHeads · headDim]: a head is a strided matrix. No [queryLen, keyLen] array outlives its
 * block; forward leaves the log-sum-exp of every row, from which backward gets the probabilities again.
 *
 * A row that sees no key at all ("blind") attends evenly to the keys hidden by the fewest causes, which is what a
 * finite penalty per cause (position, padding) amounts to.
 */
import { multiply, multiplyTransposed, WORK_BYTES } from './matrixProduct';
import { packColumns, packedBytes, packTransposedColumns, panelBytes } from './packing';
import { blockRows } from './pattention';
import { logarithm, rowDot, rowExp, rowMax, rowScale } from './softmaxRow';
import { rowsTimesColumns, rowsTimesMatrix, THIN_ROWS } from './thinProduct';
import { storeEnd } from './vectorMath';

/** Score of a key that a row does not attend to; its exponential is 0. */
const HIDDEN: f32 = -1e9;

/** Number of keys query i sees by its position: all up to its own place, and the prefix. */
function visibleKeys(i: i32, queryLen: i32, keyLen: i32, prefixLen: i32): i32 {
  return min(keyLen, max(0, max(keyLen - queryLen + i + 1, prefixLen)));
}

/** Index of the first key that is not padding; keyLen when all are. `mask` 0: none is padding. */
function firstUnpadded(mask: usize, keyLen: i32): i32 {
  if (mask == 0) return 0;
  let j = 0;
  while (j < keyLen && load<f32>(mask + j * sizeof<f32>()) <= 0) j++;
  return j;
}

/** Products q·k of one row → scores; those past `visible` are left for a row that sees something. */
function maskRow(row: usize, mask: usize, visible: i32, keyLen: i32, blind: bool, scale: f32): void {
  if (!blind) {
    rowScale(row, visible, scale);
    if (mask == 0) return;
    for (let j = 0; j < visible; j++) {
      if (load<f32>(mask + j * sizeof<f32>()) <= 0) store<f32>(row + j * sizeof<f32>(), HIDDEN);
    }
    return;
  }
  let fewest = 2;
  for (let j = 0; j < keyLen; j++) fewest = min(fewest, hidingCauses(mask, j, visible));
  for (let j = 0; j < keyLen; j++) {
    store<f32>(row + j * sizeof<f32>(), hidingCauses(mask, j, visible) == fewest ? 0 : HIDDEN);
  }
}

function hidingCauses(mask: usize, j: i32, visible: i32): i32 {
  const padding = mask != 0 && load<f32>(mask + j * sizeof<f32>()) <= 0;
  return <i32>(j >= visible) + <i32>padding;
}

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
        else multiply(q + at, row, packedKeys, panelBytes(headDim), scores, scoreRow, rows, extent, headDim, false, scratch);
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
          weightedValues(scores, scoreRow, values, packedValues, fromContext + at, row, rows, headDim, keyLen, 0, context, false, thin, scratch);
          for (let r = 0; r < rows; r++) {
            memory.copy(output + at + r * row, fromContext + at + r * row, <usize>headDim * sizeof<f32>());
          }
        }
        weightedValues(scores, scoreRow, values, packedValues, output + at, row, rows, headDim, keyLen, context, extent, context > 0, thin, scratch);
      }
    }
  }
}

/** Keys that the rows of a block need scores for; blind rows come first and need all. */
function blockExtent(i: i32, rows: i32, queryLen: i32, keyLen: i32, prefixLen: i32, firstSeen: i32): i32 {
  if (visibleKeys(i, queryLen, keyLen, prefixLen) <= firstSeen) return keyLen;
  return visibleKeys(i + rows - 1, queryLen, keyLen, prefixLen);
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
    rowsTimesMatrix(weights, pRow, values + from * row, row, out, row, rows, headDim, depth, accumulate, scratch, packedValues);
  } else {
    const packed = packedValues + panelBytes(from);
    multiply(weights, pRow, packed, panelBytes(keyLen), out, row, rows, headDim, depth, accumulate, scratch);
  }
}

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
        multiplyTransposed(d, scoreRow, packedRows, panelBytes(rows), dK + keyAt, row, extent, headDim, rows, true, scratch);
        packColumns(dO, row, rows, headDim, packedRows);
        multiplyTransposed(p, scoreRow, packedRows, panelBytes(rows), dV + keyAt, row, extent, headDim, rows, true, scratch);
        if (context > 0) {
          packColumns(dC, row, rows, headDim, packedRows);
          multiplyTransposed(p, scoreRow, packedRows, panelBytes(rows), dV + keyAt, row, context, headDim, rows, true, scratch);
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
