/**
 * Softmax attention in float32 throughout, by tiles in shared memory: what attention.cu does on tensor cores. A warp has 8 · rows
 * rows; thread (r, c) of its 8 × 4 has rows r + 8 i, of a tile of 32 columns those at c + 4 n, and of a head the dimensions
 * 16 m + 4 c to 16 m + 4 c + 3. Weights go through shared memory to become the next product's left factor.
 */
#pragma once

#define FLOAT_TILE 32

__device__ __forceinline__ float dot4(float4 a, float4 b, float sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

__device__ __forceinline__ void addScaled4(float4& sum, float factor, float4 x) {
  sum.x = fmaf(factor, x.x, sum.x);
  sum.y = fmaf(factor, x.y, sum.y);
  sum.z = fmaf(factor, x.z, sum.z);
  sum.w = fmaf(factor, x.w, sum.w);
}

template <int rows, int count>
__device__ __forceinline__ void clear4(float4 (&x)[rows][count]) {
#pragma unroll
  for (int i = 0; i < rows; i++) {
#pragma unroll
    for (int n = 0; n < count; n++) x[i][n] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  }
}

/** s = left · rightᵀ for rows of two tiles of shared memory. */
template <int D, int rows>
__device__ __forceinline__ void floatScores(float (&s)[rows][FLOAT_TILE / 4], const float* left, const float* right) {
  constexpr int stride = D + 4;
  const int lane = threadIdx.x & 31;
  const float* a = left + (lane >> 2) * stride;
  const float* b = right + (lane & 3) * stride;
#pragma unroll
  for (int i = 0; i < rows; i++) {
#pragma unroll
    for (int n = 0; n < FLOAT_TILE / 4; n++) s[i][n] = 0.0f;
  }
#pragma unroll 4
  for (int d = 0; d < D; d += 4) {
    float4 own[rows];
#pragma unroll
    for (int i = 0; i < rows; i++) own[i] = load4(a + i * 8 * stride + d);
#pragma unroll
    for (int n = 0; n < FLOAT_TILE / 4; n++) {
      const float4 other = load4(b + n * 4 * stride + d);
#pragma unroll
      for (int i = 0; i < rows; i++) s[i][n] = dot4(own[i], other, s[i][n]);
    }
  }
}

/** sum += weights · right, the weights of a warp going through `buffer`, [8 · rows][FLOAT_TILE + 4]. */
template <int D, int rows>
__device__ __forceinline__ void addWeighted(float4 (&sum)[rows][D / 16], const float (&weights)[rows][FLOAT_TILE / 4],
                                            float* buffer, const float* right) {
  constexpr int stride = D + 4;
  constexpr int width = FLOAT_TILE + 4;
  const int lane = threadIdx.x & 31;
  float* own = buffer + (lane >> 2) * width;
  const float* from = right + (lane & 3) * 4;
  __syncwarp();
#pragma unroll
  for (int i = 0; i < rows; i++) {
#pragma unroll
    for (int n = 0; n < FLOAT_TILE / 4; n++) own[i * 8 * width + n * 4 + (lane & 3)] = weights[i][n];
  }
  __syncwarp();
#pragma unroll 2
  for (int j = 0; j < FLOAT_TILE; j += 4) {
    float4 w[rows];
#pragma unroll
    for (int i = 0; i < rows; i++) w[i] = load4(own + i * 8 * width + j);
#pragma unroll
    for (int e = 0; e < 4; e++) {
#pragma unroll
      for (int m = 0; m < D / 16; m++) {
        const float4 x = load4(from + (j + e) * stride + m * 16);
#pragma unroll
        for (int i = 0; i < rows; i++) {
          addScaled4(sum[i][m], e == 0 ? w[i].x : e == 1 ? w[i].y : e == 2 ? w[i].z : w[i].w, x);
        }
      }
    }
  }
}

/** Rows of a warp's result, times a factor each, to a head, as far as they exist. */
template <int D, int rows>
__device__ __forceinline__ void storeFloatRows(float* to, int rowStride, const float4 (&x)[rows][D / 16],
                                               const float (&factors)[rows], int count, int headDim) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int i = 0; i < rows; i++) {
    const int row = (lane >> 2) + i * 8;
    if (row >= count) continue;
#pragma unroll
    for (int m = 0; m < D / 16; m++) {
      const int column = m * 16 + (lane & 3) * 4;
      if (column >= headDim) continue;
      const float4 y = x[i][m];
      const float f = factors[i];
      store4(to + (i64)row * rowStride + column, make_float4(y.x * f, y.y * f, y.z * f, y.w * f));
    }
  }
}

/** Hides what a thread's queries, from `row` on, do not see among the keys of a tile. */
template <int rows>
__device__ __forceinline__ void hideFloatKeys(float (&s)[rows][FLOAT_TILE / 4], const Sight<true>& sight, int row, int start,
                                              int limit) {
  const int lane = threadIdx.x & 31;
#pragma unroll
  for (int i = 0; i < rows; i++) {
    const int query = row + (lane >> 2) + i * 8;
    const int seen = min(limit, sight.visible(query));
#pragma unroll
    for (int n = 0; n < FLOAT_TILE / 4; n++) {
      const int j = start + n * 4 + (lane & 3);
      if (sight.general()) s[i][n] = j < limit ? sight.score(s[i][n], query, j) : ATTENTION_HIDDEN;
      else if (j >= seen) s[i][n] = ATTENTION_HIDDEN;
    }
  }
}

/** out = softmax(scale · q kᵀ + mask) v of 32 · `rows` queries of a head. */
template <int D, int rows>
__device__ __forceinline__ void attendFloat(const AttentionSizes& f, const AttentionArrays& a) {
  constexpr int stride = D + 4;
  constexpr int blockRows = 32 * rows;
  constexpr int tile = FLOAT_TILE * stride;
  float* queryTile = reinterpret_cast<float*>(sharedBytes);
  float* keyTiles = queryTile + blockRows * stride;
  float* valueTiles = keyTiles + 2 * tile;
  const int lane = threadIdx.x & 31;
  const int warpRow = (threadIdx.x >> 5) * 8 * rows;
  float* weights = valueTiles + 2 * tile + warpRow * (FLOAT_TILE + 4);

  const int heads = f.heads * f.batch;
  const int blocks = (f.queryLen + blockRows - 1) / blockRows;
  const int first = (blocks - 1 - (int)blockIdx.x / heads) * blockRows;
  const int head = (int)blockIdx.x % heads % f.heads;
  const int item = (int)blockIdx.x % heads / f.heads;
  const int column = head * f.headDim;
  const Sight<true> sight(f, a, item);
  const float* q = (const float*)a.q + (i64)item * f.qBatch + (i64)first * f.qRow + column;
  const float* k = (const float*)a.k + (i64)item * f.kBatch + column;
  const float* v = (const float*)a.v + (i64)item * f.vBatch + column;
  const int row = first + warpRow;
  const i64 outPlace = (i64)item * f.outBatch + (i64)row * f.outRow + column;
  const bool counts = first < sight.queries;
  const KeyTiles<FLOAT_TILE> tiles(f, sight, counts ? sight.extent(first, min(first + blockRows, sight.queries) - 1) : 0);
  const auto copyKeys = [&](int t) {
    const int start = tiles.start(t);
    const int valid = tiles.limit(t) - start;
    const int place = (t & 1) * tile;
    copyTile<float, D, FLOAT_TILE, 128>(keyTiles + place, k + (i64)start * f.kRow, f.kRow, valid, f.headDim);
    copyTile<float, D, FLOAT_TILE, 128>(valueTiles + place, v + (i64)start * f.vRow, f.vRow, valid, f.headDim);
    commitCopies();
  };

  float4 out[rows][D / 16];
  float largest[rows], sum[rows], contextLargest[rows], ones[rows];
  clear4(out);
#pragma unroll
  for (int i = 0; i < rows; i++) {
    largest[i] = contextLargest[i] = ATTENTION_HIDDEN;
    sum[i] = 0.0f;
    ones[i] = 1.0f;
  }
  const float factor = f.scale * ATTENTION_LOG2E;
  if (tiles.count > 0) {
    copyTile<float, D, blockRows, 128>(queryTile, q, f.qRow, sight.queries - first, f.headDim);
    copyKeys(0);
  }
  for (int t = 0; t < tiles.count; t++) {
    waitCopies<0>();
    __syncthreads();
    if (t + 1 < tiles.count) copyKeys(t + 1);
    const int start = tiles.start(t);
    const int limit = tiles.limit(t);
    if (sight.general() || sight.visible(row + 8 * rows - 1) > start) {
      float s[rows][FLOAT_TILE / 4];
      floatScores<D, rows>(s, queryTile + warpRow * stride, keyTiles + (t & 1) * tile);
      if (sight.general() || sight.visible(row) < start + FLOAT_TILE || limit < start + FLOAT_TILE) {
        hideFloatKeys<rows>(s, sight, row, start, limit);
      }
#pragma unroll
      for (int i = 0; i < rows; i++) {
        float most = s[i][0];
#pragma unroll
        for (int n = 1; n < FLOAT_TILE / 4; n++) most = fmaxf(most, s[i][n]);
        most = fmaxf(largest[i], quadMax(most));
        const float shrink = exp2f((largest[i] - most) * factor);
        largest[i] = most;
        float own = 0.0f;
#pragma unroll
        for (int n = 0; n < FLOAT_TILE / 4; n++) {
          s[i][n] = exp2f((s[i][n] - most) * factor);
          own += s[i][n];
        }
        sum[i] = sum[i] * shrink + own;
#pragma unroll
        for (int m = 0; m < D / 16; m++) {
          out[i][m].x *= shrink;
          out[i][m].y *= shrink;
          out[i][m].z *= shrink;
          out[i][m].w *= shrink;
        }
      }
      addWeighted<D, rows>(out, s, weights, valueTiles + (t & 1) * tile);
    }
    if (t == tiles.contextTiles - 1) {
      // In units of the sum so far; the same threads come back to it.
      storeFloatRows<D, rows>((float*)a.fromContext + outPlace, f.outRow, out, ones, f.queryLen - row, f.headDim);
#pragma unroll
      for (int i = 0; i < rows; i++) contextLargest[i] = largest[i];
    }
  }

  float inverse[rows];
#pragma unroll
  for (int i = 0; i < rows; i++) {
    const int query = row + (lane >> 2) + i * 8;
    const float total = quadSum(sum[i]);
    inverse[i] = query < sight.queries && total > 0.0f ? 1.0f / total : 0.0f;
    if ((lane & 3) == 0 && query < f.queryLen) {
      a.logSum[((i64)item * f.heads + head) * f.queryLen + query] =
          query < sight.queries ? largest[i] * factor + log2f(total) : ATTENTION_NO_ROW;
    }
  }
  storeFloatRows<D, rows>((float*)a.out + outPlace, f.outRow, out, inverse, f.queryLen - row, f.headDim);
  if (f.contextLen == 0) return;
#pragma unroll
  for (int i = 0; i < rows; i++) {
    const int own = (lane >> 2) + i * 8;
    if (row + own >= f.queryLen) continue;
    const float grow = exp2f((contextLargest[i] - largest[i]) * factor) * inverse[i];
    for (int d = (lane & 3) * 4; d < f.headDim; d += 16) {
      float* to = (float*)a.fromContext + outPlace + (i64)own * f.outRow + d;
      const float4 x = tiles.count > 0 ? load4(to) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      store4(to, make_float4(x.x * grow, x.y * grow, x.z * grow, x.w * grow));
    }
  }
}

/** dQ of 32 · `rows` queries of a head, and delta, as `queryGradientTiles`. */
template <int D, int rows>
__device__ __forceinline__ void queryGradientFloat(const AttentionSizes& f, const AttentionArrays& a) {
  constexpr int stride = D + 4;
  constexpr int blockRows = 32 * rows;
  constexpr int tile = FLOAT_TILE * stride;
  float* queryTile = reinterpret_cast<float*>(sharedBytes);
  float* gradientTile = queryTile + blockRows * stride;
  float* keyTiles = gradientTile + blockRows * stride;
  float* valueTiles = keyTiles + 2 * tile;
  const int lane = threadIdx.x & 31;
  const int warpRow = (threadIdx.x >> 5) * 8 * rows;
  float* weights = valueTiles + 2 * tile + warpRow * (FLOAT_TILE + 4);
  float* sumTile = valueTiles + 2 * tile + blockRows * (FLOAT_TILE + 4);

  const int heads = f.heads * f.batch;
  const int blocks = (f.queryLen + blockRows - 1) / blockRows;
  const int first = (blocks - 1 - (int)blockIdx.x / heads) * blockRows;
  const int head = (int)blockIdx.x % heads % f.heads;
  const int item = (int)blockIdx.x % heads / f.heads;
  const int column = head * f.headDim;
  const Sight<true> sight(f, a, item);
  const float* q = (const float*)a.q + (i64)item * f.qBatch + (i64)first * f.qRow + column;
  const float* k = (const float*)a.k + (i64)item * f.kBatch + column;
  const float* v = (const float*)a.v + (i64)item * f.vBatch + column;
  const float* dOut = (const float*)a.dOut + (i64)item * f.dOutBatch + (i64)first * f.dOutRow + column;
  const int row = first + warpRow;
  const bool counts = first < sight.queries;
  const KeyTiles<FLOAT_TILE> tiles(f, sight, counts ? sight.extent(first, min(first + blockRows, sight.queries) - 1) : 0);
  const auto copyKeys = [&](int t) {
    const int start = tiles.start(t);
    const int valid = tiles.limit(t) - start;
    const int place = (t & 1) * tile;
    copyTile<float, D, FLOAT_TILE, 128>(keyTiles + place, k + (i64)start * f.kRow, f.kRow, valid, f.headDim);
    copyTile<float, D, FLOAT_TILE, 128>(valueTiles + place, v + (i64)start * f.vRow, f.vRow, valid, f.headDim);
    commitCopies();
  };
  if (tiles.count > 0) {
    copyTile<float, D, blockRows, 128>(queryTile, q, f.qRow, sight.queries - first, f.headDim);
    copyTile<float, D, blockRows, 128>(gradientTile, dOut, f.dOutRow, sight.queries - first, f.headDim);
    copyKeys(0);
  }

  float delta[rows], logSum[rows], factors[rows];
#pragma unroll
  for (int i = 0; i < rows; i++) {
    factors[i] = f.scale;
    const int query = row + (lane >> 2) + i * 8;
    delta[i] = rowGradientDot<float, D>(f, a, sight, item, head, query, f.contextLen > 0 ? sumTile + (query - first) * stride : nullptr);
    logSum[i] = query < sight.queries ? a.logSum[((i64)item * f.heads + head) * f.queryLen + query] : ATTENTION_NO_ROW;
  }
  float4 dQ[rows][D / 16];
  clear4(dQ);
  const float factor = f.scale * ATTENTION_LOG2E;
  for (int t = 0; t < tiles.count; t++) {
    waitCopies<0>();
    __syncthreads();
    if (t + 1 < tiles.count) copyKeys(t + 1);
    const int start = tiles.start(t);
    const int limit = tiles.limit(t);
    if (!(sight.general() || sight.visible(row + 8 * rows - 1) > start)) continue;
    float s[rows][FLOAT_TILE / 4], dS[rows][FLOAT_TILE / 4];
    floatScores<D, rows>(s, queryTile + warpRow * stride, keyTiles + (t & 1) * tile);
    floatScores<D, rows>(dS, (t < tiles.contextTiles ? sumTile : gradientTile) + warpRow * stride, valueTiles + (t & 1) * tile);
    if (sight.general() || sight.visible(row) < start + FLOAT_TILE || limit < start + FLOAT_TILE) {
      hideFloatKeys<rows>(s, sight, row, start, limit);
    }
#pragma unroll
    for (int i = 0; i < rows; i++) {
#pragma unroll
      for (int n = 0; n < FLOAT_TILE / 4; n++) dS[i][n] = exp2f(s[i][n] * factor - logSum[i]) * (dS[i][n] - delta[i]);
    }
    addWeighted<D, rows>(dQ, dS, weights, keyTiles + (t & 1) * tile);
  }
  storeFloatRows<D, rows>((float*)a.dQ + (i64)item * f.dQBatch + (i64)row * f.dQRow + column, f.dQRow, dQ, factors,
                          f.queryLen - row, f.headDim);
}

/** dK and dV of 32 · `rows` keys of a head, as `keyGradientTiles`. */
template <int D, int rows>
__device__ __forceinline__ void keyGradientFloat(const AttentionSizes& f, const AttentionArrays& a) {
  constexpr int stride = D + 4;
  constexpr int blockKeys = 32 * rows;
  constexpr int tile = FLOAT_TILE * stride;
  float* keyTile = reinterpret_cast<float*>(sharedBytes);
  float* valueTile = keyTile + blockKeys * stride;
  float* queryTiles = valueTile + blockKeys * stride;
  float* gradientTiles = queryTiles + 2 * tile;
  const int lane = threadIdx.x & 31;
  const int warpKey = (threadIdx.x >> 5) * 8 * rows;
  float* weights = gradientTiles + 2 * tile + warpKey * (FLOAT_TILE + 4);
  float* statistics = gradientTiles + 2 * tile + blockKeys * (FLOAT_TILE + 4);  // [2][logSum, delta][FLOAT_TILE]

  const int heads = f.heads * f.batch;
  const int contextBlocks = (f.contextLen + blockKeys - 1) / blockKeys;
  const int block = (int)blockIdx.x / heads;
  const bool ofContext = block < contextBlocks;
  const int first = ofContext ? block * blockKeys : f.contextLen + (block - contextBlocks) * blockKeys;
  const int head = (int)blockIdx.x % heads % f.heads;
  const int item = (int)blockIdx.x % heads / f.heads;
  const int column = head * f.headDim;
  const Sight<true> sight(f, a, item);
  const int existing = (ofContext ? min(f.contextLen, f.keyLen) : f.keyLen) - first;
  const int counting = min(existing, sight.keys - first);
  const float* k = (const float*)a.k + (i64)item * f.kBatch + (i64)first * f.kRow + column;
  const float* v = (const float*)a.v + (i64)item * f.vBatch + (i64)first * f.vRow + column;
  const float* q = (const float*)a.q + (i64)item * f.qBatch + column;
  const int gradientRow = ofContext ? f.heads * f.headDim : f.dOutRow;
  const float* dO = ofContext ? (const float*)a.dOutSum + (i64)item * f.queryLen * gradientRow + column
                              : (const float*)a.dOut + (i64)item * f.dOutBatch + column;
  const float* logSums = a.logSum + ((i64)item * f.heads + head) * f.queryLen;
  const float* deltas = a.delta + ((i64)item * f.heads + head) * f.queryLen;

  int from = counting > 0 ? min(sight.firstQuery(first), sight.queries) / FLOAT_TILE * FLOAT_TILE : sight.queries;
  if (sight.general()) from = 0;
  const int tiles = counting > 0 ? (sight.queries - from + FLOAT_TILE - 1) / FLOAT_TILE : 0;
  float next = 0.0f;
  const auto copyQueries = [&](int t) {
    const int start = from + t * FLOAT_TILE;
    const int valid = sight.queries - start;
    const int place = (t & 1) * tile;
    copyTile<float, D, FLOAT_TILE, 128>(queryTiles + place, q + (i64)start * f.qRow, f.qRow, valid, f.headDim);
    copyTile<float, D, FLOAT_TILE, 128>(gradientTiles + place, dO + (i64)start * gradientRow, gradientRow, valid, f.headDim);
    commitCopies();
    const int i = threadIdx.x & (FLOAT_TILE - 1);
    const bool ofSum = threadIdx.x < FLOAT_TILE;
    if (threadIdx.x < 2 * FLOAT_TILE) {
      next = i < valid ? (ofSum ? logSums : deltas)[start + i] : ofSum ? ATTENTION_NO_ROW : 0.0f;
    }
  };

  float4 dK[rows][D / 16], dV[rows][D / 16];
  clear4(dK);
  clear4(dV);
  const float factor = f.scale * ATTENTION_LOG2E;
  const int key = first + warpKey + (lane >> 2);
  if (tiles > 0) {
    copyTile<float, D, blockKeys, 128>(keyTile, k, f.kRow, counting, f.headDim);
    copyTile<float, D, blockKeys, 128>(valueTile, v, f.vRow, counting, f.headDim);
    copyQueries(0);
  }
  for (int t = 0; t < tiles; t++) {
    float* tileStatistics = statistics + (t & 1) * 2 * FLOAT_TILE;
    if (threadIdx.x < 2 * FLOAT_TILE) tileStatistics[threadIdx.x] = next;
    waitCopies<0>();
    __syncthreads();
    if (t + 1 < tiles) copyQueries(t + 1);
    const int start = from + t * FLOAT_TILE;
    if (!sight.general() && start + FLOAT_TILE <= sight.firstQuery(first + warpKey)) continue;
    const float* queries = queryTiles + (t & 1) * tile;
    const float* gradients = gradientTiles + (t & 1) * tile;
    float p[rows][FLOAT_TILE / 4], dS[rows][FLOAT_TILE / 4];
    floatScores<D, rows>(p, keyTile + warpKey * stride, queries);
    floatScores<D, rows>(dS, valueTile + warpKey * stride, gradients);
    const bool hides = sight.general() || start < sight.firstQuery(first + warpKey + 8 * rows - 1);
#pragma unroll
    for (int n = 0; n < FLOAT_TILE / 4; n++) {
      const int i = n * 4 + (lane & 3);
      const float logSum = tileStatistics[i];
      const float delta = tileStatistics[FLOAT_TILE + i];
#pragma unroll
      for (int r = 0; r < rows; r++) {
        if (hides) {
          if (sight.general()) p[r][n] = sight.score(p[r][n], start + i, key + r * 8);
          else if (start + i < sight.firstQuery(key + r * 8)) p[r][n] = ATTENTION_HIDDEN;
        }
        p[r][n] = exp2f(p[r][n] * factor - logSum);
        dS[r][n] = p[r][n] * (dS[r][n] - delta);
      }
    }
    addWeighted<D, rows>(dV, p, weights, gradients);
    addWeighted<D, rows>(dK, dS, weights, queries);
  }
  float plain[rows], scaled[rows];
#pragma unroll
  for (int r = 0; r < rows; r++) {
    plain[r] = warpKey + (lane >> 2) + r * 8 < counting ? 1.0f : 0.0f;
    scaled[r] = plain[r] * f.scale;
  }
  const i64 place = first + warpKey;
  storeFloatRows<D, rows>((float*)a.dK + (i64)item * f.dKBatch + place * f.dKRow + column, f.dKRow, dK, scaled,
                          existing - warpKey, f.headDim);
  storeFloatRows<D, rows>((float*)a.dV + (i64)item * f.dVBatch + place * f.dVRow + column, f.dVRow, dV, plain,
                          existing - warpKey, f.headDim);
}

KERNEL __launch_bounds__(128, 2) attention_float_32(AttentionSizes sizes, AttentionArrays arrays) {
  attendFloat<32, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_float_64(AttentionSizes sizes, AttentionArrays arrays) {
  attendFloat<64, 4>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_float_128(AttentionSizes sizes, AttentionArrays arrays) {
  attendFloat<128, 2>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_query_gradient_float_32(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientFloat<32, 2>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_query_gradient_float_64(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientFloat<64, 2>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 1) attention_query_gradient_float_128(AttentionSizes sizes, AttentionArrays arrays) {
  queryGradientFloat<128, 2>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_float_32(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientFloat<32, 2>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 2) attention_key_gradient_float_64(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientFloat<64, 2>(sizes, arrays);
}
KERNEL __launch_bounds__(128, 1) attention_key_gradient_float_128(AttentionSizes sizes, AttentionArrays arrays) {
  keyGradientFloat<128, 2>(sizes, arrays);
}
