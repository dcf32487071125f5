/**
 * Softmax attention for heads that the tiles do not take: of widths that are no multiple of 16 bytes, or of more than 128. A warp
 * for each row, keys one after another; slow, and as exact as float32 sums are.
 */
#pragma once

/** Numbers of a head that a lane has: heads of up to 512. */
#define ATTENTION_ANY 16

template <class T>
__device__ __forceinline__ void loadAny(float (&x)[ATTENTION_ANY], const T* row, int headDim) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int n = 0; n < ATTENTION_ANY; n++) x[n] = lane + n * 32 < headDim ? toFloat(row[lane + n * 32]) : 0.0f;
}

template <class T>
__device__ __forceinline__ void storeAny(T* row, const float (&x)[ATTENTION_ANY], float factor, int headDim) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int n = 0; n < ATTENTION_ANY; n++) {
    if (lane + n * 32 < headDim) row[lane + n * 32] = fromFloat<T>(x[n] * factor);
  }
}

template <class T>
__device__ __forceinline__ float dotAny(const float (&x)[ATTENTION_ANY], const T* row, int headDim) {
  const int lane = threadIdx.x & 31;
  float sum = 0.0f;
#pragma unroll
  for (int n = 0; n < ATTENTION_ANY; n++) {
    if (lane + n * 32 < headDim) sum = fmaf(x[n], toFloat(row[lane + n * 32]), sum);
  }
  return warpSum(sum);
}

template <class T>
__device__ __forceinline__ void addAny(float (&sum)[ATTENTION_ANY], float factor, const T* row, int headDim) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int n = 0; n < ATTENTION_ANY; n++) {
    if (lane + n * 32 < headDim) sum[n] = fmaf(factor, toFloat(row[lane + n * 32]), sum[n]);
  }
}

__device__ __forceinline__ void clearAny(float (&x)[ATTENTION_ANY]) {
#pragma unroll
  for (int n = 0; n < ATTENTION_ANY; n++) x[n] = 0.0f;
}

/** The row of a warp of a grid of warps, four to a block: which of `count` rows, of which head, of which sequence. */
struct AnyRow {
  int item, head, index;

  __device__ __forceinline__ AnyRow(const AttentionSizes& f, int count) {
    const int row = (int)blockIdx.x * 4 + (threadIdx.x >> 5);
    item = row / count / f.heads;
    head = row / count % f.heads;
    index = row % count;
  }
};

__device__ __forceinline__ float anyScore(const Sight<true>& sight, float s, int i, int j) {
  if (sight.general()) return sight.score(s, i, j);
  return j < sight.visible(i) ? s : ATTENTION_HIDDEN;
}

template <class T>
__device__ __forceinline__ void attendAny(const AttentionSizes& f, const AttentionArrays& a) {
  const AnyRow at(f, f.queryLen);
  if (at.item >= f.batch) return;
  const Sight<true> sight(f, a, at.item);
  const int i = at.index;
  const int column = at.head * f.headDim;
  const T* k = (const T*)a.k + (i64)at.item * f.kBatch + column;
  const T* v = (const T*)a.v + (i64)at.item * f.vBatch + column;
  const i64 place = (i64)at.item * f.outBatch + (i64)i * f.outRow + column;
  float q[ATTENTION_ANY], out[ATTENTION_ANY], context[ATTENTION_ANY];
  clearAny(out);
  clearAny(context);
  float largest = ATTENTION_HIDDEN, contextLargest = ATTENTION_HIDDEN, sum = 0.0f;
  const float factor = f.scale * ATTENTION_LOG2E;
  const int extent = i < sight.queries ? sight.extent(i, i) : 0;
  if (extent > 0) loadAny(q, (const T*)a.q + (i64)at.item * f.qBatch + (i64)i * f.qRow + column, f.headDim);
  for (int j = 0; j < extent; j++) {
    const float s = anyScore(sight, dotAny(q, k + (i64)j * f.kRow, f.headDim), i, j);
    const float most = fmaxf(largest, s);
    const float shrink = exp2f((largest - most) * factor);
    const float weight = exp2f((s - most) * factor);
    largest = most;
    sum = sum * shrink + weight;
#pragma unroll
    for (int n = 0; n < ATTENTION_ANY; n++) out[n] *= shrink;
    addAny(out, weight, v + (i64)j * f.vRow, f.headDim);
    if (j == f.contextLen - 1) {
      contextLargest = largest;
#pragma unroll
      for (int n = 0; n < ATTENTION_ANY; n++) context[n] = out[n];
    }
  }
  if (extent > 0 && f.contextLen > extent) {
    contextLargest = largest;
#pragma unroll
    for (int n = 0; n < ATTENTION_ANY; n++) context[n] = out[n];
  }
  const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
  storeAny((T*)a.out + place, out, inverse, f.headDim);
  if (f.contextLen > 0) {
    storeAny((T*)a.fromContext + place, context, exp2f((contextLargest - largest) * factor) * inverse, f.headDim);
  }
  if ((threadIdx.x & 31) == 0) {
    a.logSum[((i64)at.item * f.heads + at.head) * f.queryLen + i] =
        extent > 0 ? largest * factor + log2f(sum) : ATTENTION_NO_ROW;
  }
}

/** dQ and delta. */
template <class T>
__device__ __forceinline__ void queryGradientAny(const AttentionSizes& f, const AttentionArrays& a) {
  const AnyRow at(f, f.queryLen);
  if (at.item >= f.batch) return;
  const Sight<true> sight(f, a, at.item);
  const int i = at.index;
  const int column = at.head * f.headDim;
  const T* k = (const T*)a.k + (i64)at.item * f.kBatch + column;
  const T* v = (const T*)a.v + (i64)at.item * f.vBatch + column;
  const i64 out = (i64)at.item * f.outBatch + (i64)i * f.outRow + column;
  const i64 dOut = (i64)at.item * f.dOutBatch + (i64)i * f.dOutRow + column;
  const i64 statistic = ((i64)at.item * f.heads + at.head) * f.queryLen + i;
  float q[ATTENTION_ANY], d[ATTENTION_ANY], dC[ATTENTION_ANY], dQ[ATTENTION_ANY];
  clearAny(dQ);
  clearAny(dC);
  float delta = 0.0f;
  const int extent = i < sight.queries ? sight.extent(i, i) : 0;
  if (extent > 0) {
    loadAny(q, (const T*)a.q + (i64)at.item * f.qBatch + (i64)i * f.qRow + column, f.headDim);
    loadAny(d, (const T*)a.dOut + dOut, f.headDim);
    delta = dotAny(d, (const T*)a.out + out, f.headDim);
    if (f.contextLen > 0) {
      loadAny(dC, (const T*)a.dFromContext + dOut, f.headDim);
      delta += dotAny(dC, (const T*)a.fromContext + out, f.headDim);
    }
  }
  const float logSum = a.logSum[statistic];
  const float factor = f.scale * ATTENTION_LOG2E;
  for (int j = 0; j < extent; j++) {
    const float s = anyScore(sight, dotAny(q, k + (i64)j * f.kRow, f.headDim), i, j);
    float dP = dotAny(d, v + (i64)j * f.vRow, f.headDim);
    if (j < f.contextLen) dP += dotAny(dC, v + (i64)j * f.vRow, f.headDim);
    addAny(dQ, exp2f(s * factor - logSum) * (dP - delta), k + (i64)j * f.kRow, f.headDim);
  }
  storeAny((T*)a.dQ + (i64)at.item * f.dQBatch + (i64)i * f.dQRow + column, dQ, f.scale, f.headDim);
  if ((threadIdx.x & 31) == 0) a.delta[statistic] = delta;
}

/** dK and dV; needs delta. */
template <class T>
__device__ __forceinline__ void keyGradientAny(const AttentionSizes& f, const AttentionArrays& a) {
  const AnyRow at(f, f.keyLen);
  if (at.item >= f.batch) return;
  const Sight<true> sight(f, a, at.item);
  const int j = at.index;
  const int column = at.head * f.headDim;
  const i64 statistics = ((i64)at.item * f.heads + at.head) * f.queryLen;
  const T* q = (const T*)a.q + (i64)at.item * f.qBatch + column;
  const T* dO = (const T*)a.dOut + (i64)at.item * f.dOutBatch + column;
  const T* dC = (const T*)a.dFromContext + (i64)at.item * f.dOutBatch + column;
  float k[ATTENTION_ANY], v[ATTENTION_ANY], dK[ATTENTION_ANY], dV[ATTENTION_ANY];
  clearAny(dK);
  clearAny(dV);
  const float factor = f.scale * ATTENTION_LOG2E;
  int from = sight.firstQuery(j);
  if (sight.general()) from = j < sight.keys ? 0 : sight.queries;
  if (from < sight.queries) {
    loadAny(k, (const T*)a.k + (i64)at.item * f.kBatch + (i64)j * f.kRow + column, f.headDim);
    loadAny(v, (const T*)a.v + (i64)at.item * f.vBatch + (i64)j * f.vRow + column, f.headDim);
  }
  for (int i = from; i < sight.queries; i++) {
    const T* query = q + (i64)i * f.qRow;
    const float s = anyScore(sight, dotAny(k, query, f.headDim), i, j);
    const float p = exp2f(s * factor - a.logSum[statistics + i]);
    float dP = dotAny(v, dO + (i64)i * f.dOutRow, f.headDim);
    addAny(dV, p, dO + (i64)i * f.dOutRow, f.headDim);
    if (j < f.contextLen) {
      dP += dotAny(v, dC + (i64)i * f.dOutRow, f.headDim);
      addAny(dV, p, dC + (i64)i * f.dOutRow, f.headDim);
    }
    addAny(dK, p * (dP - a.delta[statistics + i]), query, f.headDim);
  }
  storeAny((T*)a.dK + (i64)at.item * f.dKBatch + (i64)j * f.dKRow + column, dK, f.scale, f.headDim);
  storeAny((T*)a.dV + (i64)at.item * f.dVBatch + (i64)j * f.dVRow + column, dV, 1.0f, f.headDim);
}

KERNEL __launch_bounds__(128) attention_any_float(AttentionSizes sizes, AttentionArrays arrays) {
  attendAny<float>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_query_gradient_any_float(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientAny<float>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_any_float(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientAny<float>(sizes, arrays);
}
KERNEL __launch_bounds__(128) attention_any_bf16(AttentionSizes sizes, AttentionArrays arrays) {
  attendAny<bf16>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_query_gradient_any_bf16(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientAny<bf16>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_any_bf16(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientAny<bf16>(sizes, arrays);
}
