/**
 * Softmax attention by tiles on tensor cores, forward and backward; no score ever reaches global memory. Storage is bf16, or
 * float32 whose products are rounded to tf32; attentionFloat.cu has exact float32.
 *
 * A warp works on 16 rows (queries; in the gradient of keys and values, keys) in the registers' layout of mma, so that P and dS
 * are the next product's left factor as they lie. Right factors come from shared memory, where rows are padded by 16 bytes:
 * eight rows then start in different banks. Tiles of the other side are copied while the last one is worked on.
 *
 * The backward pass is two kernels, one over queries (dQ, and rowsum(dO ∘ O)), one over keys (dK, dV): seven products where
 * one kernel has five, but no sums in global memory, which for T ≤ 2048 would take longer: key blocks of 64 would write
 * and read T/64 float32 copies of dQ, halved by a causal mask.
 */
#pragma once

/** Strides count elements. */
struct AttentionSizes {
  int batch, heads, headDim, queryLen, keyLen, prefixLen, contextLen, maskStride;
  int qRow, qBatch, kRow, kBatch, vRow, vBatch, outRow, outBatch;
  int dOutRow, dOutBatch, dQRow, dQBatch, dKRow, dKBatch, dVRow, dVBatch;
  float scale;
};

/**
 * `fromContext` lies as `out`, dFromContext as dOut: the part from the context's keys, null without one. `logSum` and `delta` are
 * [batch, heads, queryLen]: log2 of the softmax's sum, and rowsum(dO ∘ O). `dOutSum` [batch, queryLen, heads · headDim]: dOut +
 * dFromContext. `lengths` and `keyMask` may be null.
 */
struct AttentionArrays {
  const void *q, *k, *v;
  void *out, *fromContext;
  float* logSum;
  const int* lengths;
  const float* keyMask;
  const void *dOut, *dFromContext;
  void* dOutSum;
  float* delta;
  void *dQ, *dK, *dV;
};

/** Score of a key that a row does not attend to; finite, so that differences stay numbers. */
#define ATTENTION_HIDDEN (-1e30f)
#define ATTENTION_LOG2E 1.4426950408889634f
/** log2 of the sum of a row that does not count: its weights are 0. */
#define ATTENTION_NO_ROW 1e30f

/** What the queries of a sequence see; `masked`: padding by keyMask too, not by lengths alone. */
template <bool masked>
struct Sight {
  /** Queries and keys that count. */
  int queries, keys;
  /** Query i stands at offset + i. */
  int offset, prefix;
  /** With a mask: its row, and the first key that is not padding. */
  const float* mask;
  int firstSeen;
  /** Whether position alone does not decide: with a mask, or for queries before the first key. */
  bool special;

  __device__ __forceinline__ Sight(const AttentionSizes& f, const AttentionArrays& a, int item) {
    offset = f.keyLen - f.queryLen;
    queries = a.lengths == nullptr ? f.queryLen : min(f.queryLen, max(0, a.lengths[item]));
    keys = min(f.keyLen, max(0, offset + queries));
    if (a.lengths == nullptr) keys = f.keyLen;
    prefix = f.prefixLen;
    mask = a.keyMask == nullptr ? nullptr : a.keyMask + (i64)item * f.maskStride;
    special = mask != nullptr || min(f.keyLen, max(offset + 1, prefix)) <= 0;
    firstSeen = 0;
    if (masked && mask != nullptr) {
      const int lane = threadIdx.x & 31;
      for (firstSeen = 0; firstSeen < keys; firstSeen += 32) {
        const u32 seen = __ballot_sync(0xffffffffu, firstSeen + lane < keys && mask[min(firstSeen + lane, keys - 1)] > 0.0f);
        if (seen != 0) {
          firstSeen += __ffs((int)seen) - 1;
          break;
        }
      }
      firstSeen = min(firstSeen, keys);
    }
  }

  __device__ __forceinline__ bool general() const { return masked && special; }
  /** Keys that query i sees by its position: the first so many. */
  __device__ __forceinline__ int visible(int i) const { return min(keys, max(offset + i + 1, prefix)); }
  /** Whether it sees none; it attends evenly to those that the fewest causes hide, as a finite penalty per cause does. */
  __device__ __forceinline__ bool blind(int i) const { return general() && visible(i) <= firstSeen; }
  /** The first query that sees key j by position. */
  __device__ __forceinline__ int firstQuery(int j) const {
    return j >= keys ? 0x3fffffff : j < prefix ? 0 : max(0, j - offset);
  }
  /** Keys that queries from `first` to `last` need. */
  __device__ __forceinline__ int extent(int first, int last) const { return blind(first) ? keys : visible(last); }

  /** The score of query i and key j, where position alone does not decide. */
  __device__ __forceinline__ float score(float s, int i, int j) const {
    if (j >= keys) return ATTENTION_HIDDEN;
    const int seen = visible(i);
    const int causes = (j >= seen ? 1 : 0) + (mask != nullptr && mask[j] <= 0.0f ? 1 : 0);
    if (seen > firstSeen) return causes == 0 ? s : ATTENTION_HIDDEN;
    const int fewest = seen <= 0 && firstSeen >= keys && mask != nullptr ? 2 : 1;
    return causes == fewest ? 0.0f : ATTENTION_HIDDEN;
  }
};

/** Fragments of 16 × 16 left factors and 16 × 16 right factors (two of eight columns) for a product that is 16 deep. */
template <class T>
struct Fragments;

template <>
struct Fragments<bf16> {
  static constexpr bool masked = false;
  typedef u32 Fragment[4];

  /** Rows × depth, from rows of shared memory. */
  static __device__ __forceinline__ void left(Fragment& to, const bf16* tile, int stride, int row, int depth) {
    const int lane = threadIdx.x & 31;
    loadMatrices(to, tile + (row + (lane & 15)) * stride + depth + (lane >> 4) * 8);
  }
  /** Columns are rows of shared memory. */
  static __device__ __forceinline__ void right(Fragment& to, const bf16* tile, int stride, int column, int depth) {
    const int lane = threadIdx.x & 31;
    loadMatrices(to, tile + (column + (lane >> 4) * 8 + (lane & 7)) * stride + depth + ((lane >> 3) & 1) * 8);
  }
  /** The depth runs over rows of shared memory. */
  static __device__ __forceinline__ void rightAcross(Fragment& to, const bf16* tile, int stride, int depth, int column) {
    const int lane = threadIdx.x & 31;
    loadMatricesTransposed(to, tile + (depth + (lane & 15)) * stride + column + (lane >> 4) * 8);
  }
  /** Two neighbouring results, [16, 8] each, as a left factor whose depth goes with `rightAcross`. */
  static __device__ __forceinline__ void leftOf(Fragment& to, const float (&x)[4], const float (&y)[4]) {
    to[0] = packBf16(x[0], x[1]);
    to[1] = packBf16(x[2], x[3]);
    to[2] = packBf16(y[0], y[1]);
    to[3] = packBf16(y[2], y[3]);
  }
  static __device__ __forceinline__ void multiply(float (&x)[4], float (&y)[4], const Fragment& a, const Fragment& b) {
    mmaBf16(x, a, b[0], b[1]);
    mmaBf16(y, a, b[2], b[3]);
  }
  /** Two neighbours of a row. */
  static __device__ __forceinline__ void storePair(bf16* to, float x, float y) {
    *reinterpret_cast<u32*>(to) = packBf16(x, y);
  }
  static __device__ __forceinline__ float2 loadPair(const bf16* from) {
    const u32 pair = *reinterpret_cast<const u32*>(from);
    return make_float2(lowFloat(pair), highFloat(pair));
  }
};

/** In tf32 every fragment is two, eight deep each. */
template <>
struct Fragments<float> {
  static constexpr bool masked = true;
  typedef u32 Fragment[8];

  static __device__ __forceinline__ void left(Fragment& to, const float* tile, int stride, int row, int depth) {
    const int lane = threadIdx.x & 31;
    const float* from = tile + (row + (lane >> 2)) * stride + depth + (lane & 3);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      to[4 * i] = toTf32(from[8 * i]);
      to[4 * i + 1] = toTf32(from[8 * stride + 8 * i]);
      to[4 * i + 2] = toTf32(from[8 * i + 4]);
      to[4 * i + 3] = toTf32(from[8 * stride + 8 * i + 4]);
    }
  }
  /** Of each eight columns: two numbers for the first depth, two for the second. */
  static __device__ __forceinline__ void right(Fragment& to, const float* tile, int stride, int column, int depth) {
    const int lane = threadIdx.x & 31;
    const float* from = tile + (column + (lane >> 2)) * stride + depth + (lane & 3);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      to[i] = toTf32(from[4 * i]);
      to[4 + i] = toTf32(from[8 * stride + 4 * i]);
    }
  }
  /** A thread's share of the depth is the columns that it has of a result: 2c and 2c + 1, not c and c + 4. */
  static __device__ __forceinline__ void rightAcross(Fragment& to, const float* tile, int stride, int depth, int column) {
    const int lane = threadIdx.x & 31;
    const float* from = tile + (depth + (lane & 3) * 2) * stride + column + (lane >> 2);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      to[2 * i] = toTf32(from[8 * i * stride]);
      to[2 * i + 1] = toTf32(from[(8 * i + 1) * stride]);
      to[4 + 2 * i] = toTf32(from[8 * i * stride + 8]);
      to[4 + 2 * i + 1] = toTf32(from[(8 * i + 1) * stride + 8]);
    }
  }
  static __device__ __forceinline__ void leftOf(Fragment& to, const float (&x)[4], const float (&y)[4]) {
    to[0] = toTf32(x[0]);
    to[1] = toTf32(x[2]);
    to[2] = toTf32(x[1]);
    to[3] = toTf32(x[3]);
    to[4] = toTf32(y[0]);
    to[5] = toTf32(y[2]);
    to[6] = toTf32(y[1]);
    to[7] = toTf32(y[3]);
  }
  static __device__ __forceinline__ void multiply(float (&x)[4], float (&y)[4], const Fragment& a, const Fragment& b) {
    const u32 first[4] = {a[0], a[1], a[2], a[3]};
    const u32 second[4] = {a[4], a[5], a[6], a[7]};
    mmaTf32(x, first, b[0], b[1]);
    mmaTf32(y, first, b[4], b[5]);
    mmaTf32(x, second, b[2], b[3]);
    mmaTf32(y, second, b[6], b[7]);
  }
  static __device__ __forceinline__ void storePair(float* to, float x, float y) {
    *reinterpret_cast<float2*>(to) = make_float2(x, y);
  }
  static __device__ __forceinline__ float2 loadPair(const float* from) { return *reinterpret_cast<const float2*>(from); }
};

/** Copies `rows` rows of a head to shared memory without waiting; 0 from `valid` on, and in columns from headDim on. */
template <class T, int D, int rows, int threads>
__device__ __forceinline__ void copyTile(T* tile, const T* from, int rowStride, int valid, int headDim) {
  constexpr int stride = D + 16 / sizeof(T);
  constexpr int width = 16 / sizeof(T);
  constexpr int chunks = D / width;
  constexpr int step = threads / chunks;
  static_assert(threads % chunks == 0 && rows % step == 0, "every thread copies the same column of its rows");
  const int column = threadIdx.x % chunks * width;
  const int row = threadIdx.x / chunks;
  const int count = column < headDim ? valid - row : 0;
  const T* source = from + (i64)row * rowStride + column;
  T* to = tile + row * stride + column;
#pragma unroll
  for (int i = 0; i < rows; i += step) {
    copyAsync16(to + i * stride, i < count ? source : from, i < count);
    source += (i64)step * rowStride;
  }
}

/** Writes 16 rows of a warp from shared memory to a head, as far as they exist. */
template <class T, int D>
__device__ __forceinline__ void storeRows(T* to, int rowStride, const T* rows, int count, int headDim) {
  constexpr int stride = D + 16 / sizeof(T);
  constexpr int width = 16 / sizeof(T);
  constexpr int chunks = D / width;
  for (int chunk = threadIdx.x & 31; chunk < 16 * chunks; chunk += 32) {
    const int row = chunk / chunks;
    const int column = chunk % chunks * width;
    if (row < count && column < headDim) {
      *reinterpret_cast<uint4*>(to + (i64)row * rowStride + column) =
          *reinterpret_cast<const uint4*>(rows + row * stride + column);
    }
  }
}

/** A warp's result, 16 rows times the head, to shared memory; each thread has two rows, factors for them apart. */
template <class T, int D>
__device__ __forceinline__ void putResult(T* rows, const float (&x)[D / 8][4], float upper, float lower) {
  constexpr int stride = D + 16 / sizeof(T);
  const int lane = threadIdx.x & 31;
  T* to = rows + (lane >> 2) * stride + (lane & 3) * 2;
#pragma unroll
  for (int n = 0; n < D / 8; n++) {
    Fragments<T>::storePair(to + n * 8, x[n][0] * upper, x[n][1] * upper);
    Fragments<T>::storePair(to + 8 * stride + n * 8, x[n][2] * lower, x[n][3] * lower);
  }
}

__device__ __forceinline__ float quadSum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

__device__ __forceinline__ float quadMax(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

/** Tiles of keys, none of which has keys of the context and others. */
template <int size>
struct KeyTiles {
  int contextTiles, count, contextLen, contextEnd, keys;

  template <bool masked>
  __device__ __forceinline__ KeyTiles(const AttentionSizes& f, const Sight<masked>& sight, int extent) {
    contextLen = f.contextLen;
    contextEnd = min(f.contextLen, sight.keys);
    keys = sight.keys;
    contextTiles = (min(f.contextLen, extent) + size - 1) / size;
    count = contextTiles + (max(0, extent - f.contextLen) + size - 1) / size;
  }
  __device__ __forceinline__ int start(int t) const {
    return t < contextTiles ? t * size : contextLen + (t - contextTiles) * size;
  }
  __device__ __forceinline__ int limit(int t) const { return t < contextTiles ? contextEnd : keys; }
};

/** Hides what a warp's 16 queries from `row` on do not see among `count` · 8 keys from `start` on. */
template <int count, bool masked>
__device__ __forceinline__ void hideKeys(float (&s)[count][4], const Sight<masked>& sight, int row, int start, int limit) {
  const int lane = threadIdx.x & 31;
  const int upper = row + (lane >> 2);
  const int column = start + (lane & 3) * 2;
  if (sight.general()) {
#pragma unroll
    for (int n = 0; n < count; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int j = column + n * 8 + (e & 1);
        s[n][e] = j < limit ? sight.score(s[n][e], upper + (e >> 1) * 8, j) : ATTENTION_HIDDEN;
      }
    }
    return;
  }
  const int seenUpper = min(limit, sight.visible(upper)) - column;
  const int seenLower = min(limit, sight.visible(upper + 8)) - column;
#pragma unroll
  for (int n = 0; n < count; n++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      if (n * 8 + e >= seenUpper) s[n][e] = ATTENTION_HIDDEN;
      if (n * 8 + e >= seenLower) s[n][2 + e] = ATTENTION_HIDDEN;
    }
  }
}

/**
 * out = softmax(scale · q kᵀ + mask) v of `16 · groups` · 4 queries of a head; heavy blocks, which see most keys, come first.
 */
template <class T, int D, int groups>
__device__ __forceinline__ void attendTiles(const AttentionSizes& f, const AttentionArrays& a) {
  typedef Fragments<T> F;
  constexpr int stride = D + 16 / sizeof(T);
  constexpr int blockRows = 64 * groups;
  constexpr int tileKeys = D * sizeof(T) > 256 ? 32 : 64;
  constexpr bool held = D * groups * sizeof(T) <= 128;
  T* queryTile = reinterpret_cast<T*>(sharedBytes);
  T* keyTiles = queryTile + blockRows * stride;
  T* valueTiles = keyTiles + 2 * tileKeys * stride;
  T* contextTile = valueTiles + 2 * tileKeys * stride;

  const int lane = threadIdx.x & 31;
  const int warpRow = (threadIdx.x >> 5) * 16 * groups;
  const int heads = f.heads * f.batch;
  const int blocks = (f.queryLen + blockRows - 1) / blockRows;
  const int first = (blocks - 1 - (int)blockIdx.x / heads) * blockRows;
  const int head = (int)blockIdx.x % heads % f.heads;
  const int item = (int)blockIdx.x % heads / f.heads;
  const Sight<F::masked> sight(f, a, item);
  const T* q = (const T*)a.q + (i64)item * f.qBatch + (i64)first * f.qRow + head * f.headDim;
  const T* k = (const T*)a.k + (i64)item * f.kBatch + head * f.headDim;
  const T* v = (const T*)a.v + (i64)item * f.vBatch + head * f.headDim;
  const i64 outPlace = (i64)item * f.outBatch + (i64)(first + warpRow) * f.outRow + head * f.headDim;
  const bool counts = first < sight.queries;
  const KeyTiles<tileKeys> tiles(f, sight, counts ? sight.extent(first, min(first + blockRows, sight.queries) - 1) : 0);
  const auto copyKeys = [&](int t) {
    const int start = tiles.start(t);
    const int valid = tiles.limit(t) - start;
    const int place = (t & 1) * tileKeys * stride;
    copyTile<T, D, tileKeys, 128>(keyTiles + place, k + (i64)start * f.kRow, f.kRow, valid, f.headDim);
    copyTile<T, D, tileKeys, 128>(valueTiles + place, v + (i64)start * f.vRow, f.vRow, valid, f.headDim);
    commitCopies();
  };

  float out[groups][D / 8][4];
  float largest[groups][2], sum[groups][2], contextLargest[groups][2];
#pragma unroll
  for (int g = 0; g < groups; g++) {
#pragma unroll
    for (int n = 0; n < D / 8; n++) out[g][n][0] = out[g][n][1] = out[g][n][2] = out[g][n][3] = 0.0f;
    largest[g][0] = largest[g][1] = contextLargest[g][0] = contextLargest[g][1] = ATTENTION_HIDDEN;
    sum[g][0] = sum[g][1] = 0.0f;
  }
  typename F::Fragment query[groups][held ? D / 16 : 1];
  const float factor = f.scale * ATTENTION_LOG2E;
  if (tiles.count > 0) {
    copyTile<T, D, blockRows, 128>(queryTile, q, f.qRow, sight.queries - first, f.headDim);
    copyKeys(0);
  }
  for (int t = 0; t < tiles.count; t++) {
    waitCopies<0>();
    __syncthreads();
    if (t + 1 < tiles.count) copyKeys(t + 1);
    if (held && t == 0) {
#pragma unroll
      for (int g = 0; g < groups; g++) {
#pragma unroll
        for (int d = 0; d < (held ? D / 16 : 1); d++) F::left(query[g][d], queryTile, stride, warpRow + g * 16, d * 16);
      }
    }
    const int start = tiles.start(t);
    const int limit = tiles.limit(t);
    const int row = first + warpRow;
    if (sight.general() || sight.visible(row + 16 * groups - 1) > start) {
      const T* keys = keyTiles + (t & 1) * tileKeys * stride;
      const T* values = valueTiles + (t & 1) * tileKeys * stride;
      float s[groups][tileKeys / 8][4];
#pragma unroll
      for (int g = 0; g < groups; g++) {
#pragma unroll
        for (int n = 0; n < tileKeys / 8; n++) s[g][n][0] = s[g][n][1] = s[g][n][2] = s[g][n][3] = 0.0f;
      }
#pragma unroll
      for (int d = 0; d < D / 16; d++) {
        typename F::Fragment own[groups];
        if (!held) {
#pragma unroll
          for (int g = 0; g < groups; g++) F::left(own[g], queryTile, stride, warpRow + g * 16, d * 16);
        }
#pragma unroll
        for (int n = 0; n < tileKeys / 16; n++) {
          typename F::Fragment b;
          F::right(b, keys, stride, n * 16, d * 16);
#pragma unroll
          for (int g = 0; g < groups; g++) {
            F::multiply(s[g][2 * n], s[g][2 * n + 1], held ? query[g][held ? d : 0] : own[g], b);
          }
        }
      }
      const bool hides = sight.general() || sight.visible(row) < start + tileKeys || limit < start + tileKeys;
#pragma unroll
      for (int g = 0; g < groups; g++) {
        if (hides) hideKeys(s[g], sight, row + g * 16, start, limit);
#pragma unroll
        for (int e = 0; e < 2; e++) {
          float most = fmaxf(s[g][0][2 * e], s[g][0][2 * e + 1]);
#pragma unroll
          for (int n = 1; n < tileKeys / 8; n++) most = fmaxf(most, fmaxf(s[g][n][2 * e], s[g][n][2 * e + 1]));
          most = fmaxf(largest[g][e], quadMax(most));
          const float shrink = exp2Approximate((largest[g][e] - most) * factor);
          const float shift = most * factor;
          largest[g][e] = most;
          float own = 0.0f;
#pragma unroll
          for (int n = 0; n < tileKeys / 8; n++) {
#pragma unroll
            for (int i = 2 * e; i < 2 * e + 2; i++) {
              s[g][n][i] = exp2Approximate(s[g][n][i] * factor - shift);
              own += s[g][n][i];
            }
          }
          sum[g][e] = sum[g][e] * shrink + own;
#pragma unroll
          for (int n = 0; n < D / 8; n++) {
            out[g][n][2 * e] *= shrink;
            out[g][n][2 * e + 1] *= shrink;
          }
        }
      }
#pragma unroll
      for (int n = 0; n < tileKeys / 16; n++) {
        typename F::Fragment p[groups];
#pragma unroll
        for (int g = 0; g < groups; g++) F::leftOf(p[g], s[g][2 * n], s[g][2 * n + 1]);
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
          typename F::Fragment b;
          F::rightAcross(b, values, stride, n * 16, d * 16);
#pragma unroll
          for (int g = 0; g < groups; g++) F::multiply(out[g][2 * d], out[g][2 * d + 1], p[g], b);
        }
      }
    }
    if (t == tiles.contextTiles - 1) {
#pragma unroll
      for (int g = 0; g < groups; g++) {
        putResult<T, D>(contextTile + (warpRow + g * 16) * stride, out[g], 1.0f, 1.0f);
        contextLargest[g][0] = largest[g][0];
        contextLargest[g][1] = largest[g][1];
      }
    }
  }

#pragma unroll
  for (int g = 0; g < groups; g++) {
    float inverse[2];
#pragma unroll
    for (int e = 0; e < 2; e++) {
      const int i = first + warpRow + g * 16 + (lane >> 2) + e * 8;
      const float total = quadSum(sum[g][e]);
      inverse[e] = i < sight.queries && total > 0.0f ? 1.0f / total : 0.0f;
      if ((lane & 3) == 0 && i < f.queryLen) {
        a.logSum[((i64)item * f.heads + head) * f.queryLen + i] =
            i < sight.queries ? largest[g][e] * factor + log2f(total) : ATTENTION_NO_ROW;
      }
    }
    T* rows = queryTile + (warpRow + g * 16) * stride;
    const int left = f.queryLen - first - warpRow - g * 16;
    __syncwarp();
    putResult<T, D>(rows, out[g], inverse[0], inverse[1]);
    __syncwarp();
    storeRows<T, D>((T*)a.out + outPlace + (i64)g * 16 * f.outRow, f.outRow, rows, left, f.headDim);
    if (f.contextLen == 0) continue;
    // The context's part so far was in units of the sum then.
    T* part = contextTile + (warpRow + g * 16) * stride;
    T* own = part + (lane >> 2) * stride + (lane & 3) * 2;
#pragma unroll
    for (int e = 0; e < 2; e++) {
      const float grow = exp2Approximate((contextLargest[g][e] - largest[g][e]) * factor) * inverse[e];
#pragma unroll
      for (int n = 0; n < D / 8; n++) {
        const float2 pair = tiles.count > 0 ? F::loadPair(own + e * 8 * stride + n * 8) : make_float2(0.0f, 0.0f);
        F::storePair(own + e * 8 * stride + n * 8, pair.x * grow, pair.y * grow);
      }
    }
    __syncwarp();
    storeRows<T, D>((T*)a.fromContext + outPlace + (i64)g * 16 * f.outRow, f.outRow, part, left, f.headDim);
  }
}

/**
 * delta = rowsum(dO ∘ O) of query i, with the context's, by four lanes that all get it; written too, as is dOut + dFromContext, to
 * `sums` in shared memory as well.
 */
template <class T, int D, bool masked>
__device__ __forceinline__ float rowGradientDot(const AttentionSizes& f, const AttentionArrays& a, const Sight<masked>& sight,
                                                int item, int head, int i, T* sums) {
  const int lane = threadIdx.x & 31;
  const bool exists = i < sight.queries;
  const int column = head * f.headDim;
  const i64 out = (i64)item * f.outBatch + (i64)i * f.outRow + column;
  const i64 dOut = (i64)item * f.dOutBatch + (i64)i * f.dOutRow + column;
  float dot = 0.0f;
  for (int d = (lane & 3) * 4; d < D; d += 16) {
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (exists && d < f.headDim) {
      const float4 x = load4((const T*)a.out + out + d);
      sum = load4((const T*)a.dOut + dOut + d);
      dot += x.x * sum.x + x.y * sum.y + x.z * sum.z + x.w * sum.w;
    }
    if (sums == nullptr) continue;
    if (exists && d < f.headDim) {
      const float4 x = load4((const T*)a.fromContext + out + d);
      const float4 y = load4((const T*)a.dFromContext + dOut + d);
      dot += x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
      sum = make_float4(sum.x + y.x, sum.y + y.y, sum.z + y.z, sum.w + y.w);
      store4((T*)a.dOutSum + ((i64)item * f.queryLen + i) * (f.heads * f.headDim) + column + d, sum);
    }
    store4(sums + d, sum);
  }
  dot = quadSum(dot);
  if ((lane & 3) == 0 && i < f.queryLen) a.delta[((i64)item * f.heads + head) * f.queryLen + i] = dot;
  return dot;
}

/**
 * dQ = scale · dS K, dS = P (dO Vᵀ − delta), of 64 queries of a head; and delta = rowsum(dO ∘ O) with the context's, for all.
 * Scores of `span` keys are in registers at once.
 */
template <class T, int D, int span = D * sizeof(T) <= 256 ? 32 : 16>
__device__ __forceinline__ void queryGradientTiles(const AttentionSizes& f, const AttentionArrays& a) {
  typedef Fragments<T> F;
  constexpr int stride = D + 16 / sizeof(T);
  constexpr int blockRows = 64;
  constexpr int tileKeys = 64;
  constexpr bool held = D * sizeof(T) <= 128;
  T* queryTile = reinterpret_cast<T*>(sharedBytes);
  T* gradientTile = queryTile + blockRows * stride;
  T* keyTiles = gradientTile + blockRows * stride;
  T* valueTiles = keyTiles + 2 * tileKeys * stride;
  T* sumTile = valueTiles + 2 * tileKeys * stride;

  const int lane = threadIdx.x & 31;
  const int warpRow = (threadIdx.x >> 5) * 16;
  const int heads = f.heads * f.batch;
  const int blocks = (f.queryLen + blockRows - 1) / blockRows;
  const int first = (blocks - 1 - (int)blockIdx.x / heads) * blockRows;
  const int head = (int)blockIdx.x % heads % f.heads;
  const int item = (int)blockIdx.x % heads / f.heads;
  const Sight<F::masked> sight(f, a, item);
  const int column = head * f.headDim;
  const T* q = (const T*)a.q + (i64)item * f.qBatch + (i64)first * f.qRow + column;
  const T* k = (const T*)a.k + (i64)item * f.kBatch + column;
  const T* v = (const T*)a.v + (i64)item * f.vBatch + column;
  const T* dOut = (const T*)a.dOut + (i64)item * f.dOutBatch + (i64)first * f.dOutRow + column;
  const bool counts = first < sight.queries;
  const KeyTiles<tileKeys> tiles(f, sight, counts ? sight.extent(first, min(first + blockRows, sight.queries) - 1) : 0);
  const auto copyKeys = [&](int t) {
    const int start = tiles.start(t);
    const int valid = tiles.limit(t) - start;
    const int place = (t & 1) * tileKeys * stride;
    copyTile<T, D, tileKeys, 128>(keyTiles + place, k + (i64)start * f.kRow, f.kRow, valid, f.headDim);
    copyTile<T, D, tileKeys, 128>(valueTiles + place, v + (i64)start * f.vRow, f.vRow, valid, f.headDim);
    commitCopies();
  };
  if (tiles.count > 0) {
    copyTile<T, D, blockRows, 128>(queryTile, q, f.qRow, sight.queries - first, f.headDim);
    copyTile<T, D, blockRows, 128>(gradientTile, dOut, f.dOutRow, sight.queries - first, f.headDim);
    copyKeys(0);
  }

  const int row = first + warpRow;
  float delta[2], logSum[2];
#pragma unroll
  for (int e = 0; e < 2; e++) {
    const int i = row + (lane >> 2) + e * 8;
    delta[e] = rowGradientDot<T, D>(f, a, sight, item, head, i, f.contextLen > 0 ? sumTile + (i - first) * stride : nullptr);
    logSum[e] = i < sight.queries ? a.logSum[((i64)item * f.heads + head) * f.queryLen + i] : ATTENTION_NO_ROW;
  }

  float dQ[D / 8][4];
#pragma unroll
  for (int n = 0; n < D / 8; n++) dQ[n][0] = dQ[n][1] = dQ[n][2] = dQ[n][3] = 0.0f;
  typename F::Fragment query[held ? D / 16 : 1], gradient[held ? D / 16 : 1];
  const float factor = f.scale * ATTENTION_LOG2E;
  for (int t = 0; t < tiles.count; t++) {
    waitCopies<0>();
    __syncthreads();
    if (t + 1 < tiles.count) copyKeys(t + 1);
    const T* gradients = t < tiles.contextTiles ? sumTile : gradientTile;
    if (held) {
#pragma unroll
      for (int d = 0; d < (held ? D / 16 : 1); d++) {
        if (t == 0) F::left(query[d], queryTile, stride, warpRow, d * 16);
        if (t == 0 || t == tiles.contextTiles) F::left(gradient[d], gradients, stride, warpRow, d * 16);
      }
    }
    const int limit = tiles.limit(t);
    const T* keys = keyTiles + (t & 1) * tileKeys * stride;
    const T* values = valueTiles + (t & 1) * tileKeys * stride;
#pragma unroll 1
    for (int part = 0; part < tileKeys; part += span) {
      const int start = tiles.start(t) + part;
      if (start >= limit || !(sight.general() || sight.visible(row + 15) > start)) continue;
      float s[span / 8][4], dS[span / 8][4];
#pragma unroll
      for (int n = 0; n < span / 8; n++) {
        s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.0f;
        dS[n][0] = dS[n][1] = dS[n][2] = dS[n][3] = 0.0f;
      }
#pragma unroll
      for (int d = 0; d < D / 16; d++) {
        typename F::Fragment own, b;
        if (!held) F::left(own, queryTile, stride, warpRow, d * 16);
#pragma unroll
        for (int n = 0; n < span / 16; n++) {
          F::right(b, keys, stride, part + n * 16, d * 16);
          F::multiply(s[2 * n], s[2 * n + 1], held ? query[held ? d : 0] : own, b);
        }
        if (!held) F::left(own, gradients, stride, warpRow, d * 16);
#pragma unroll
        for (int n = 0; n < span / 16; n++) {
          F::right(b, values, stride, part + n * 16, d * 16);
          F::multiply(dS[2 * n], dS[2 * n + 1], held ? gradient[held ? d : 0] : own, b);
        }
      }
      if (sight.general() || sight.visible(row) < start + span || limit < start + span) hideKeys(s, sight, row, start, limit);
#pragma unroll
      for (int n = 0; n < span / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          dS[n][e] = exp2Approximate(s[n][e] * factor - logSum[e >> 1]) * (dS[n][e] - delta[e >> 1]);
        }
      }
#pragma unroll
      for (int n = 0; n < span / 16; n++) {
        typename F::Fragment left, b;
        F::leftOf(left, dS[2 * n], dS[2 * n + 1]);
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
          F::rightAcross(b, keys, stride, part + n * 16, d * 16);
          F::multiply(dQ[2 * d], dQ[2 * d + 1], left, b);
        }
      }
    }
  }
  T* rows = queryTile + warpRow * stride;
  __syncwarp();
  putResult<T, D>(rows, dQ, f.scale, f.scale);
  __syncwarp();
  storeRows<T, D>((T*)a.dQ + (i64)item * f.dQBatch + (i64)row * f.dQRow + column, f.dQRow, rows, f.queryLen - row, f.headDim);
}

/** dV = Pᵀ dO, dK = scale · dSᵀ Q of 16 · `warps` keys of a head; keys of the context take dO and their part's gradient. */
template <class T, int D, int warps, int span = D <= 64 ? 32 : 16>
__device__ __forceinline__ void keyGradientTiles(const AttentionSizes& f, const AttentionArrays& a) {
  typedef Fragments<T> F;
  constexpr int stride = D + 16 / sizeof(T);
  constexpr int blockKeys = 16 * warps;
  constexpr int tileRows = 64;
  constexpr int threads = 32 * warps;
  constexpr bool held = D * sizeof(T) <= 128;
  T* keyTile = reinterpret_cast<T*>(sharedBytes);
  T* valueTile = keyTile + blockKeys * stride;
  T* queryTiles = valueTile + blockKeys * stride;
  T* gradientTiles = queryTiles + 2 * tileRows * stride;
  float* statistics = reinterpret_cast<float*>(gradientTiles + 2 * tileRows * stride);  // [2][logSum, delta][tileRows]

  const int lane = threadIdx.x & 31;
  const int warpKey = (threadIdx.x >> 5) * 16;
  const int heads = f.heads * f.batch;
  const int contextBlocks = (f.contextLen + blockKeys - 1) / blockKeys;
  const int block = (int)blockIdx.x / heads;
  const bool ofContext = block < contextBlocks;
  const int first = ofContext ? block * blockKeys : f.contextLen + (block - contextBlocks) * blockKeys;
  const int head = (int)blockIdx.x % heads % f.heads;
  const int item = (int)blockIdx.x % heads / f.heads;
  const Sight<F::masked> sight(f, a, item);
  const int column = head * f.headDim;
  /** Keys of this block that exist, and that count. */
  const int existing = (ofContext ? min(f.contextLen, f.keyLen) : f.keyLen) - first;
  const int counting = min(existing, sight.keys - first);
  const T* k = (const T*)a.k + (i64)item * f.kBatch + (i64)first * f.kRow + column;
  const T* v = (const T*)a.v + (i64)item * f.vBatch + (i64)first * f.vRow + column;
  const T* q = (const T*)a.q + (i64)item * f.qBatch + column;
  const int gradientRow = ofContext ? f.heads * f.headDim : f.dOutRow;
  const T* dO = ofContext ? (const T*)a.dOutSum + (i64)item * f.queryLen * gradientRow + column
                          : (const T*)a.dOut + (i64)item * f.dOutBatch + column;
  const float* logSums = a.logSum + ((i64)item * f.heads + head) * f.queryLen;
  const float* deltas = a.delta + ((i64)item * f.heads + head) * f.queryLen;

  const int from = sight.general() ? 0 : counting > 0 ? min(sight.firstQuery(first), sight.queries) / tileRows * tileRows : sight.queries;
  const int tiles = counting > 0 ? (sight.queries - from + tileRows - 1) / tileRows : 0;
  float next = 0.0f;
  const auto copyQueries = [&](int t) {
    const int start = from + t * tileRows;
    const int valid = sight.queries - start;
    const int place = (t & 1) * tileRows * stride;
    copyTile<T, D, tileRows, threads>(queryTiles + place, q + (i64)start * f.qRow, f.qRow, valid, f.headDim);
    copyTile<T, D, tileRows, threads>(gradientTiles + place, dO + (i64)start * gradientRow, gradientRow, valid, f.headDim);
    commitCopies();
    const int i = threadIdx.x & (tileRows - 1);
    const bool ofSum = threadIdx.x < tileRows;
    if (threadIdx.x < 2 * tileRows) {
      next = i < valid ? (ofSum ? logSums : deltas)[start + i] : ofSum ? ATTENTION_NO_ROW : 0.0f;
    }
  };

  float dK[D / 8][4], dV[D / 8][4];
#pragma unroll
  for (int n = 0; n < D / 8; n++) {
    dK[n][0] = dK[n][1] = dK[n][2] = dK[n][3] = 0.0f;
    dV[n][0] = dV[n][1] = dV[n][2] = dV[n][3] = 0.0f;
  }
  typename F::Fragment keyLeft[held ? D / 16 : 1];
  const float factor = f.scale * ATTENTION_LOG2E;
  const int key = first + warpKey + (lane >> 2);
  const int last = first + warpKey + 15;
  const int fromUpper = sight.firstQuery(key);
  const int fromLower = sight.firstQuery(key + 8);
  const int fromFirst = sight.firstQuery(first + warpKey);
  const int fromLast = sight.firstQuery(last);
  if (tiles > 0) {
    copyTile<T, D, blockKeys, threads>(keyTile, k, f.kRow, counting, f.headDim);
    copyTile<T, D, blockKeys, threads>(valueTile, v, f.vRow, counting, f.headDim);
    copyQueries(0);
  }
  for (int t = 0; t < tiles; t++) {
    float* tileStatistics = statistics + (t & 1) * 2 * tileRows;
    if (threadIdx.x < 2 * tileRows) tileStatistics[threadIdx.x] = next;
    waitCopies<0>();
    __syncthreads();
    if (t + 1 < tiles) copyQueries(t + 1);
    if (held && t == 0) {
#pragma unroll
      for (int d = 0; d < (held ? D / 16 : 1); d++) {
        F::left(keyLeft[d], keyTile, stride, warpKey, d * 16);
      }
    }
    const T* queries = queryTiles + (t & 1) * tileRows * stride;
    const T* gradients = gradientTiles + (t & 1) * tileRows * stride;
#pragma unroll 1
    for (int part = 0; part < tileRows; part += span) {
      const int start = from + t * tileRows + part;
      if (start >= sight.queries || (!sight.general() && start + span <= fromFirst)) continue;
      float p[span / 8][4], dS[span / 8][4];
#pragma unroll
      for (int n = 0; n < span / 8; n++) {
        p[n][0] = p[n][1] = p[n][2] = p[n][3] = 0.0f;
        dS[n][0] = dS[n][1] = dS[n][2] = dS[n][3] = 0.0f;
      }
#pragma unroll
      for (int d = 0; d < D / 16; d++) {
        typename F::Fragment own, b;
        if (!held) F::left(own, keyTile, stride, warpKey, d * 16);
#pragma unroll
        for (int n = 0; n < span / 16; n++) {
          F::right(b, queries, stride, part + n * 16, d * 16);
          F::multiply(p[2 * n], p[2 * n + 1], held ? keyLeft[held ? d : 0] : own, b);
        }
        F::left(own, valueTile, stride, warpKey, d * 16);
#pragma unroll
        for (int n = 0; n < span / 16; n++) {
          F::right(b, gradients, stride, part + n * 16, d * 16);
          F::multiply(dS[2 * n], dS[2 * n + 1], own, b);
        }
      }
      const int query = start + (lane & 3) * 2;
      if (sight.general()) {
#pragma unroll
        for (int n = 0; n < span / 8; n++) {
#pragma unroll
          for (int e = 0; e < 4; e++) p[n][e] = sight.score(p[n][e], query + n * 8 + (e & 1), key + (e >> 1) * 8);
        }
      } else if (start < fromLast) {
#pragma unroll
        for (int n = 0; n < span / 8; n++) {
#pragma unroll
          for (int e = 0; e < 2; e++) {
            if (query + n * 8 + e < fromUpper) p[n][e] = ATTENTION_HIDDEN;
            if (query + n * 8 + e < fromLower) p[n][2 + e] = ATTENTION_HIDDEN;
          }
        }
      }
#pragma unroll
      for (int n = 0; n < span / 8; n++) {
        const float* own = tileStatistics + part + n * 8 + (lane & 3) * 2;
        const float2 logSum = *reinterpret_cast<const float2*>(own);
        const float2 delta = *reinterpret_cast<const float2*>(own + tileRows);
#pragma unroll
        for (int e = 0; e < 4; e++) {
          p[n][e] = exp2Approximate(p[n][e] * factor - ((e & 1) == 0 ? logSum.x : logSum.y));
          dS[n][e] = p[n][e] * (dS[n][e] - ((e & 1) == 0 ? delta.x : delta.y));
        }
      }
#pragma unroll
      for (int n = 0; n < span / 16; n++) {
        typename F::Fragment left, b;
        F::leftOf(left, p[2 * n], p[2 * n + 1]);
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
          F::rightAcross(b, gradients, stride, part + n * 16, d * 16);
          F::multiply(dV[2 * d], dV[2 * d + 1], left, b);
        }
        F::leftOf(left, dS[2 * n], dS[2 * n + 1]);
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
          F::rightAcross(b, queries, stride, part + n * 16, d * 16);
          F::multiply(dK[2 * d], dK[2 * d + 1], left, b);
        }
      }
    }
  }
  T* keyRows = keyTile + warpKey * stride;
  T* valueRows = valueTile + warpKey * stride;
  const float upper = warpKey + (lane >> 2) < counting ? 1.0f : 0.0f;
  const float lower = warpKey + (lane >> 2) + 8 < counting ? 1.0f : 0.0f;
  __syncwarp();
  putResult<T, D>(keyRows, dK, upper * f.scale, lower * f.scale);
  putResult<T, D>(valueRows, dV, upper, lower);
  __syncwarp();
  const i64 place = first + warpKey;
  storeRows<T, D>((T*)a.dK + (i64)item * f.dKBatch + place * f.dKRow + column, f.dKRow, keyRows, existing - warpKey, f.headDim);
  storeRows<T, D>((T*)a.dV + (i64)item * f.dVBatch + place * f.dVRow + column, f.dVRow, valueRows, existing - warpKey, f.headDim);
}

// The second launch bound is how many blocks a multiprocessor is to hold, which bounds the registers of a thread.

KERNEL __launch_bounds__(128, 4) attention_bf16_32(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<bf16, 32, 1>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 4) attention_query_gradient_bf16_32(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<bf16, 32>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 4) attention_key_gradient_bf16_32(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<bf16, 32, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 3) attention_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<bf16, 64, 1>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 3) attention_query_gradient_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<bf16, 64>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 3) attention_key_gradient_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<bf16, 64, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_bf16_128(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<bf16, 128, 1>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_query_gradient_bf16_128(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<bf16, 128>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_bf16_128(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<bf16, 128, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 3) attention_tf32_32(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<float, 32, 1>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 3) attention_query_gradient_tf32_32(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<float, 32>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 3) attention_key_gradient_tf32_32(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<float, 32, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_tf32_64(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<float, 64, 1>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_query_gradient_tf32_64(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<float, 64>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_tf32_64(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<float, 64, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 1) attention_tf32_128(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<float, 128, 1>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 1) attention_query_gradient_tf32_128(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<float, 128>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 1) attention_key_gradient_tf32_128(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<float, 128, 4>(sizes, arrays);
}

/** Twice the queries of a block: fewer reads of shared memory for a product. */
KERNEL __launch_bounds__(128, 2) attention_wide_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  attendTiles<bf16, 64, 2>(sizes, arrays);
}
/** More scores at once: more products between waits, fewer warps to hide them. */
KERNEL __launch_bounds__(128, 2) attention_query_gradient_long_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<bf16, 64, 64>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_long_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientTiles<bf16, 64, 4, 64>(sizes, arrays);
}
/** Fewer scores at once, more warps. */
KERNEL __launch_bounds__(128, 4) attention_query_gradient_short_bf16_64(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientTiles<bf16, 64, 16>(sizes, arrays);
}
