#include "device.cuh"

/** Layer normalization and its gradient, cross-entropies, and conversions, row by row. 256 threads a block, one block a row or one warp a row. */

/**
 * normalized = (x − mean) · inverse deviation, the latter saved; where `copy` is given, x goes there too.
 * Source of the numbers in two passes, as src/kernels/layerNormalize computes them: the mean, then the squares around it.
 */
template <class T, int LANES>
__device__ __forceinline__ void layerNormalize(const float* x, T* normalized, float* inverseDeviation, float* copy, int rows,
                                               int width, float epsilon) {
  __shared__ float buffer[32];
  const int lane = threadIdx.x % LANES;
  const int row = blockIdx.x * (256 / LANES) + threadIdx.x / LANES;
  if (row >= rows) return;
  const int vectors = width / 4;
  const i64 place = (i64)row * width;
  Held<8> held;
  loadHeld<8, LANES>(held, x + place, vectors, lane);
  if (copy != nullptr) storeHeld<8, LANES>(held, copy + place, vectors, lane);
  float sum = 0.0f;
  EACH(i, j, 8) sum += held.x[i][j];
  const float mean = rowSum<LANES>(sum, buffer) / width;
  float squares = 0.0f;
  EACH(i, j, 8) {
    held.x[i][j] = lane + i * LANES < vectors ? held.x[i][j] - mean : 0.0f;
    squares += held.x[i][j] * held.x[i][j];
  }
  const float inverse = 1.0f / sqrtf(rowSum<LANES>(squares, buffer) / width + epsilon);
  EACH(i, j, 8) held.x[i][j] *= inverse;
  storeHeld<8, LANES>(held, normalized + place, vectors, lane);
  if (lane == 0) inverseDeviation[row] = inverse;
}

/**
 * dX = inverse · (dY − mean(dY) − y · mean(dY · y)), added to `stream` where `add`; the result also goes to `rounded` where that is given.
 */
template <class T, int LANES>
__device__ __forceinline__ void layerNormalizeGradient(const T* dY, const T* y, const float* inverseDeviation, float* stream,
                                                       T* rounded, int rows, int width, int add) {
  __shared__ float buffer[32];
  const int lane = threadIdx.x % LANES;
  const int row = blockIdx.x * (256 / LANES) + threadIdx.x / LANES;
  if (row >= rows) return;
  const int vectors = width / 4;
  const i64 place = (i64)row * width;
  Held<8> d;
  Held<8> n;
  loadHeld<8, LANES>(d, dY + place, vectors, lane);
  loadHeld<8, LANES>(n, y + place, vectors, lane);
  float sum = 0.0f;
  float along = 0.0f;
  EACH(i, j, 8) {
    sum += d.x[i][j];
    along += d.x[i][j] * n.x[i][j];
  }
  const float mean = rowSum<LANES>(sum, buffer) / width;
  const float slope = rowSum<LANES>(along, buffer) / width;
  const float inverse = inverseDeviation[row];
  EACH(i, j, 8) d.x[i][j] = inverse * (d.x[i][j] - mean - n.x[i][j] * slope);
  if (add) {
    loadHeld<8, LANES>(n, stream + place, vectors, lane);
    EACH(i, j, 8) d.x[i][j] += n.x[i][j];
  }
  storeHeld<8, LANES>(d, stream + place, vectors, lane);
  if (rounded != nullptr) storeHeld<8, LANES>(d, rounded + place, vectors, lane);
}

/** Any width, one block a row. */
template <class T>
__device__ __forceinline__ void layerNormalizeAny(const float* x, T* normalized, float* inverseDeviation, float* copy,
                                                  int width, float epsilon) {
  __shared__ float buffer[32];
  const i64 place = (i64)blockIdx.x * width;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += x[place + i];
    if (copy != nullptr) copy[place + i] = x[place + i];
  }
  const float mean = blockSum(sum, buffer) / width;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) squares += (x[place + i] - mean) * (x[place + i] - mean);
  const float inverse = 1.0f / sqrtf(blockSum(squares, buffer) / width + epsilon);
  for (int i = threadIdx.x; i < width; i += blockDim.x) normalized[place + i] = fromFloat<T>((x[place + i] - mean) * inverse);
  if (threadIdx.x == 0) inverseDeviation[blockIdx.x] = inverse;
}

template <class T>
__device__ __forceinline__ void layerNormalizeGradientAny(const T* dY, const T* y, const float* inverseDeviation,
                                                          float* stream, T* rounded, int width, int add) {
  __shared__ float buffer[32];
  const i64 place = (i64)blockIdx.x * width;
  float sum = 0.0f;
  float along = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += toFloat(dY[place + i]);
    along += toFloat(dY[place + i]) * toFloat(y[place + i]);
  }
  const float mean = blockSum(sum, buffer) / width;
  const float slope = blockSum(along, buffer) / width;
  const float inverse = inverseDeviation[blockIdx.x];
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float d = inverse * (toFloat(dY[place + i]) - mean - toFloat(y[place + i]) * slope);
    if (add) d += stream[place + i];
    stream[place + i] = d;
    if (rounded != nullptr) rounded[place + i] = fromFloat<T>(d);
  }
}

#define LAYER_NORM_KERNELS(T, LANES, name)                                                                          \
  KERNEL __launch_bounds__(256) layer_normalize_##name(const float* x, T* normalized, float* inverseDeviation,      \
                                                       float* copy, int rows, int width, float epsilon) {           \
    layerNormalize<T, LANES>(x, normalized, inverseDeviation, copy, rows, width, epsilon);                          \
  }                                                                                                                 \
  KERNEL __launch_bounds__(256) layer_normalize_gradient_##name(const T* dY, const T* y,                            \
                                                                const float* inverseDeviation, float* stream,       \
                                                                T* rounded, int rows, int width, int add) {         \
    layerNormalizeGradient<T, LANES>(dY, y, inverseDeviation, stream, rounded, rows, width, add);                   \
  }

LAYER_NORM_KERNELS(float, 32, float_warp)
LAYER_NORM_KERNELS(bf16, 32, bf16_warp)
LAYER_NORM_KERNELS(float, 256, float_block)
LAYER_NORM_KERNELS(bf16, 256, bf16_block)

#define LAYER_NORM_ANY_KERNELS(T, name)                                                                             \
  KERNEL __launch_bounds__(256) layer_normalize_##name(const float* x, T* normalized, float* inverseDeviation,      \
                                                       float* copy, int rows, int width, float epsilon) {           \
    layerNormalizeAny<T>(x, normalized, inverseDeviation, copy, width, epsilon);                                    \
  }                                                                                                                 \
  KERNEL __launch_bounds__(256) layer_normalize_gradient_##name(const T* dY, const T* y,                            \
                                                                const float* inverseDeviation, float* stream,       \
                                                                T* rounded, int rows, int width, int add) {         \
    layerNormalizeGradientAny<T>(dY, y, inverseDeviation, stream, rounded, width, add);                             \
  }

LAYER_NORM_ANY_KERNELS(float, float_any)
LAYER_NORM_ANY_KERNELS(bf16, bf16_any)

/**
 * Rows of float32 to bf16, and to a second place as they are: `rows` runs of `width` numbers, `to` and `copy` (either may be absent) with
 * strides of their own, for matrices that are packed or spread. Grid-stride.
 */
KERNEL __launch_bounds__(256) convert_rows(const float* from, i64 fromStride, bf16* to, i64 toStride, float* copy,
                                           i64 copyStride, i64 rows, i64 width) {
  const bool isFlat = fromStride == width && (to == nullptr || toStride == width) && (copy == nullptr || copyStride == width);
  const i64 count = rows * width;
  const bool isAligned = ((((u64)from) | ((u64)to) | ((u64)copy)) & 15) == 0;
  const i64 step = (i64)gridDim.x * blockDim.x;
  const i64 first = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (isFlat && isAligned) {
    const i64 vectors = count / 4;
    for (i64 i = first; i < vectors; i += step) {
      const float4 v = load4(from + 4 * i);
      if (to != nullptr) store4(to + 4 * i, v);
      if (copy != nullptr) store4(copy + 4 * i, v);
    }
    for (i64 i = 4 * vectors + first; i < count; i += step) {
      if (to != nullptr) to[i] = toBf16(from[i]);
      if (copy != nullptr) copy[i] = from[i];
    }
    return;
  }
  for (i64 i = first; i < count; i += step) {
    const i64 row = i / width;
    const i64 column = i - row * width;
    const float v = from[row * fromStride + column];
    if (to != nullptr) to[row * toStride + column] = toBf16(v);
    if (copy != nullptr) copy[row * copyStride + column] = v;
  }
}

/** Rows of bf16, with a stride, to float32. */
KERNEL __launch_bounds__(256) widen_rows(const bf16* from, i64 fromStride, float* to, i64 toStride, i64 rows, i64 width) {
  const i64 step = (i64)gridDim.x * blockDim.x;
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < rows * width; i += step) {
    const i64 row = i / width;
    to[row * toStride + (i - row * width)] = toFloat(from[row * fromStride + (i - row * width)]);
  }
}

/** Matrices of float32 side by side in one buffer, as bf16 or as they are: what a layer of several groups multiplies by. */
struct PackedSources {
  const float* from[64];
};
struct PackedSizes {
  int first[64];
  int count[64];
};

template <class T>
__device__ __forceinline__ void packMatrices(const PackedSources& sources, const PackedSizes& sizes, T* to) {
  const float* from = sources.from[blockIdx.y];
  T* place = to + (i64)sizes.first[blockIdx.y] * 4;
  const int vectors = sizes.count[blockIdx.y];
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < vectors; i += gridDim.x * blockDim.x)
    store4(place + 4 * (i64)i, load4(from + 4 * (i64)i));
}

/** Sizes count vectors of four numbers. Grid (any, matrices). */
KERNEL __launch_bounds__(256) pack_matrices_bf16(PackedSources sources, PackedSizes sizes, bf16* to) {
  packMatrices<bf16>(sources, sizes, to);
}
KERNEL __launch_bounds__(256) pack_matrices_float(PackedSources sources, PackedSizes sizes, float* to) {
  packMatrices<float>(sources, sizes, to);
}

/**
 * Cross-entropy of a chunk of logits [rows, classes]: losses = w (log Σ exp − logit of the label); the logits become
 * w (softmax − onehot), zeros from `classes` to `stride`. One block a row. Rows of weight 0 have loss 0 and gradient 0, whatever their label is.
 */
template <class T>
__device__ __forceinline__ void crossEntropyInPlace(T* logits, i64 stride, int classes, const int* labels,
                                                    const float* weights, float* losses, int wantGradient) {
  __shared__ float buffer[32];
  const int row = blockIdx.x;
  T* x = logits + row * stride;
  const float weight = weights[row];
  const int padded = (int)stride;
  if (weight == 0.0f) {
    if (wantGradient)
      for (int i = 4 * threadIdx.x; i < padded; i += 4 * blockDim.x) store4(x + i, make_float4(0.0f, 0.0f, 0.0f, 0.0f));
    if (threadIdx.x == 0) losses[row] = 0.0f;
    return;
  }
  float largest = -3.0e38f;
  float sum = 0.0f;
  for (int i = 4 * threadIdx.x; i < padded; i += 4 * blockDim.x) {
    const float4 v = load4(x + i);
    const float v1 = i + 1 < classes ? v.y : -3.0e38f;
    const float v2 = i + 2 < classes ? v.z : -3.0e38f;
    const float v3 = i + 3 < classes ? v.w : -3.0e38f;
    const float v0 = i < classes ? v.x : -3.0e38f;
    const float most = fmaxf(fmaxf(v0, v1), fmaxf(v2, v3));
    if (most > largest) {
      sum *= __expf(largest - most);
      largest = most;
    }
    sum += __expf(v0 - largest) + __expf(v1 - largest) + __expf(v2 - largest) + __expf(v3 - largest);
  }
  const float top = blockMax(largest, buffer);
  sum = blockSum(sum * __expf(largest - top), buffer);
  const float logSumExp = top + logf(sum);
  const int label = labels[row];
  if (threadIdx.x == 0) {
    const bool isClass = label >= 0 && label < classes;
    losses[row] = isClass ? weight * (logSumExp - toFloat(x[label])) : __uint_as_float(0x7fc00000u);
  }
  if (!wantGradient) return;
  __syncthreads();
  for (int i = 4 * threadIdx.x; i < padded; i += 4 * blockDim.x) {
    const float4 v = load4(x + i);
    float4 d;
    d.x = i < classes ? weight * (__expf(v.x - logSumExp) - (i == label ? 1.0f : 0.0f)) : 0.0f;
    d.y = i + 1 < classes ? weight * (__expf(v.y - logSumExp) - (i + 1 == label ? 1.0f : 0.0f)) : 0.0f;
    d.z = i + 2 < classes ? weight * (__expf(v.z - logSumExp) - (i + 2 == label ? 1.0f : 0.0f)) : 0.0f;
    d.w = i + 3 < classes ? weight * (__expf(v.w - logSumExp) - (i + 3 == label ? 1.0f : 0.0f)) : 0.0f;
    store4(x + i, d);
  }
}

KERNEL __launch_bounds__(256) cross_entropy_float(float* logits, i64 stride, int classes, const int* labels,
                                                  const float* weights, float* losses, int wantGradient) {
  crossEntropyInPlace<float>(logits, stride, classes, labels, weights, losses, wantGradient);
}
KERNEL __launch_bounds__(256) cross_entropy_bf16(bf16* logits, i64 stride, int classes, const int* labels,
                                                 const float* weights, float* losses, int wantGradient) {
  crossEntropyInPlace<bf16>(logits, stride, classes, labels, weights, losses, wantGradient);
}

/** losses and log Σ exp of logits [rows, classes] that stay; one block a row. */
KERNEL __launch_bounds__(256) softmax_cross_entropy(const float* logits, int classes, const int* labels, const float* weights,
                                                    float* losses, float* logSumExps) {
  __shared__ float buffer[32];
  const int row = blockIdx.x;
  const float* x = logits + (i64)row * classes;
  float largest = -3.0e38f;
  for (int i = threadIdx.x; i < classes; i += blockDim.x) largest = fmaxf(largest, x[i]);
  largest = blockMax(largest, buffer);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < classes; i += blockDim.x) sum += expf(x[i] - largest);
  sum = blockSum(sum, buffer);
  if (threadIdx.x != 0) return;
  const float logSumExp = largest + logf(sum);
  const int label = labels[row];
  const float weight = weights[row];
  logSumExps[row] = logSumExp;
  const bool isClass = label >= 0 && label < classes;
  losses[row] = weight == 0.0f ? 0.0f : isClass ? weight * (logSumExp - x[label]) : __uint_as_float(0x7fc00000u);
}

/** dLogits = dLosses · w · (softmax − onehot); one block a row. */
KERNEL __launch_bounds__(256) softmax_cross_entropy_gradient(const float* dLosses, const float* logits, int classes,
                                                             const int* labels, const float* weights,
                                                             const float* logSumExps, float* dLogits) {
  const int row = blockIdx.x;
  const float scale = weights[row] == 0.0f ? 0.0f : weights[row] * dLosses[row];
  const i64 place = (i64)row * classes;
  for (int i = threadIdx.x; i < classes; i += blockDim.x)
    dLogits[place + i] =
        scale == 0.0f ? 0.0f : scale * (expf(logits[place + i] - logSumExps[row]) - (i == labels[row] ? 1.0f : 0.0f));
}

/** to = factor · from. */
KERNEL __launch_bounds__(256) scale_numbers(const float* from, float* to, float factor, i64 count) {
  const i64 step = (i64)gridDim.x * blockDim.x;
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) to[i] = factor * from[i];
}

/** `rows` runs of `units` pieces of 16 or 2 bytes; row i of `perBatch` rows each is at (i / perBatch) · batch stride + (i % perBatch) · row stride, in pieces. */
template <class Piece>
__device__ __forceinline__ void copyRuns(const Piece* from, i64 fromRow, i64 fromBatch, Piece* to, i64 toRow, i64 toBatch,
                                         i64 rows, i64 perBatch, i64 units) {
  const i64 step = (i64)gridDim.x * blockDim.x;
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < rows * units; i += step) {
    const i64 row = i / units;
    const i64 piece = i - row * units;
    const i64 batch = row / perBatch;
    const i64 inBatch = row - batch * perBatch;
    to[batch * toBatch + inBatch * toRow + piece] = from[batch * fromBatch + inBatch * fromRow + piece];
  }
}

KERNEL __launch_bounds__(256) copy_runs_16(const uint4* from, i64 fromRow, i64 fromBatch, uint4* to, i64 toRow, i64 toBatch,
                                           i64 rows, i64 perBatch, i64 units) {
  copyRuns<uint4>(from, fromRow, fromBatch, to, toRow, toBatch, rows, perBatch, units);
}
KERNEL __launch_bounds__(256) copy_runs_2(const unsigned short* from, i64 fromRow, i64 fromBatch, unsigned short* to,
                                          i64 toRow, i64 toBatch, i64 rows, i64 perBatch, i64 units) {
  copyRuns<unsigned short>(from, fromRow, fromBatch, to, toRow, toBatch, rows, perBatch, units);
}
