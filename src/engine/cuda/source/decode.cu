#include "device.cuh"

/**
 * One new token of every row through the layers of a block: products with few rows, which read every weight once. All float32. A stage is the
 * groups that read the same input (query, key and value; output; ffn), whose scores lie side by side in rows of `stride` numbers.
 */

/** Keys or values of the groups of a stage. */
struct DecodeMatrices {
  const float* tokens[16];
};
struct DecodeGroups {
  /** First column of each group in the scores; behind the last one, the number of columns. */
  int first[17];
  /** First chunk of each group's values; behind the last one, the number of chunks. */
  int chunk[17];
  /** Which output of the stage a group adds to. */
  int output[16];
  /** tanh of the group's gate, or 1. */
  float scale[16];
  /** Whether a group reads the second input. */
  int second[16];
};

/** Rows that one pass over the weights serves. */
#define DECODE_ROWS 8
/** Parameter tokens of one chunk of values. */
#define DECODE_CHUNK 32

__device__ __forceinline__ int groupOf(const int (&first)[17], int count, int place) {
  int group = 0;
  while (group + 1 < count && place >= first[group + 1]) group++;
  return group;
}

/** scores[row, j] = x[row] · key j; a warp for each j. Grid (columns / 8, rows / DECODE_ROWS). */
KERNEL __launch_bounds__(256) decode_scores(const float* x, const float* second, DecodeMatrices keys, DecodeGroups groups,
                                            int count, float* scores, int stride, int rows, int width) {
  const int column = blockIdx.x * 8 + threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  if (column >= groups.first[count]) return;
  const int group = groupOf(groups.first, count, column);
  const float* key = keys.tokens[group] + (i64)(column - groups.first[group]) * width;
  const float* input = groups.second[group] ? second : x;
  const int row0 = blockIdx.y * DECODE_ROWS;
  float sums[DECODE_ROWS];
#pragma unroll
  for (int r = 0; r < DECODE_ROWS; r++) sums[r] = 0.0f;
  if ((width & 3) == 0 && (((u64)key) & 15) == 0) {
    for (int i = lane; i < width / 4; i += 32) {
      const float4 k = load4(key + 4 * i);
#pragma unroll
      for (int r = 0; r < DECODE_ROWS; r++) {
        if (row0 + r >= rows) break;
        const float4 v = load4(input + (i64)(row0 + r) * width + 4 * i);
        sums[r] += k.x * v.x + k.y * v.y + k.z * v.z + k.w * v.w;
      }
    }
  } else {
    for (int i = lane; i < width; i += 32) {
#pragma unroll
      for (int r = 0; r < DECODE_ROWS; r++)
        if (row0 + r < rows) sums[r] += key[i] * input[(i64)(row0 + r) * width + i];
    }
  }
#pragma unroll
  for (int r = 0; r < DECODE_ROWS; r++) {
    if (row0 + r >= rows) break;
    const float sum = warpSum(sums[r]);
    if (lane == 0) scores[(i64)(row0 + r) * stride + column] = sum;
  }
}

/**
 * partial[chunk, row] = Σ over a chunk's parameter tokens of their weights times their values, [width]. Grid (chunks, rows / DECODE_ROWS, columns /
 * 256); a thread has one column.
 */
KERNEL __launch_bounds__(256) decode_values(const float* weights, int stride, DecodeMatrices values, DecodeGroups groups,
                                            int count, float* partial, int rows, int width) {
  __shared__ float held[DECODE_ROWS][DECODE_CHUNK];
  const int group = groupOf(groups.chunk, count, blockIdx.x);
  const int token0 = (blockIdx.x - groups.chunk[group]) * DECODE_CHUNK;
  const int left = groups.first[group + 1] - groups.first[group] - token0;
  const int tokens = left < DECODE_CHUNK ? left : DECODE_CHUNK;
  const int row0 = blockIdx.y * DECODE_ROWS;
  for (int i = threadIdx.x; i < DECODE_ROWS * DECODE_CHUNK; i += blockDim.x) {
    const int r = i / DECODE_CHUNK;
    const int t = i % DECODE_CHUNK;
    const bool isThere = row0 + r < rows && t < tokens;
    held[r][t] = isThere ? weights[(i64)(row0 + r) * stride + groups.first[group] + token0 + t] : 0.0f;
  }
  __syncthreads();
  const int column = blockIdx.z * blockDim.x + threadIdx.x;
  if (column >= width) return;
  const float* value = values.tokens[group] + (i64)token0 * width + column;
  float sums[DECODE_ROWS];
#pragma unroll
  for (int r = 0; r < DECODE_ROWS; r++) sums[r] = 0.0f;
#pragma unroll 8
  for (int t = 0; t < tokens; t++) {
    const float v = value[(i64)t * width];
#pragma unroll
    for (int r = 0; r < DECODE_ROWS; r++) sums[r] += held[r][t] * v;
  }
#pragma unroll
  for (int r = 0; r < DECODE_ROWS; r++)
    if (row0 + r < rows) partial[((i64)blockIdx.x * rows + row0 + r) * width + column] = sums[r];
}

/** The sum of the chunks of the groups of one output, times their gates, in the order of the groups. */
__device__ __forceinline__ float decodeSum(const float* partial, const DecodeGroups& groups, int count, int output, int row,
                                           int rows, int width, int column) {
  float sum = 0.0f;
  for (int group = 0; group < count; group++) {
    if (groups.output[group] != output) continue;
    float own = 0.0f;
#pragma unroll 8
    for (int chunk = groups.chunk[group]; chunk < groups.chunk[group + 1]; chunk++)
      own += partial[((i64)chunk * rows + row) * width + column];
    sum += own * groups.scale[group];
  }
  return sum;
}

/**
 * Query, key and value of the new tokens: the query, rotated, to `query`, the key, rotated, and the value to their places in the caches
 * [rows, capacity, width]. Grid (rows, 3, columns / 256). `step` has the cosines and sines of the position, and behind them, as int32, the position.
 */
KERNEL __launch_bounds__(256) decode_project(const float* partial, DecodeGroups groups, int count, float* query,
                                             float* cacheKeys, float* cacheValues, const float* step, int half, int headDim,
                                             int rows, int width, int capacity) {
  const int row = blockIdx.x;
  const int output = blockIdx.y;
  const int column = blockIdx.z * blockDim.x + threadIdx.x;
  if (column >= width) return;
  float x = decodeSum(partial, groups, count, output, row, rows, width, column);
  const int place = column % headDim;
  if (output < 2 && place < 2 * half) {
    const int pair = place < half ? column + half : column - half;
    const float other = decodeSum(partial, groups, count, output, row, rows, width, pair);
    const float cosine = step[place % half];
    const float sine = step[half + place % half];
    x = place < half ? x * cosine - other * sine : x * cosine + other * sine;
  }
  const int past = (int)__float_as_uint(step[2 * half]);
  const i64 cached = ((i64)row * capacity + past) * width + column;
  if (output == 0) query[(i64)row * width + column] = x;
  else if (output == 1) cacheKeys[cached] = x;
  else cacheValues[cached] = x;
}

/** state += the output of a stage. Grid (rows, columns / 256). */
KERNEL __launch_bounds__(256) decode_add(const float* partial, DecodeGroups groups, int count, float* state, int rows,
                                         int width) {
  const int row = blockIdx.x;
  const int column = blockIdx.y * blockDim.x + threadIdx.x;
  if (column >= width) return;
  state[(i64)row * width + column] += decodeSum(partial, groups, count, 0, row, rows, width, column);
}
