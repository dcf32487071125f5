/**
 * Numbers put together along axes: sums, products, extremes, places of extremes, softmax, sums by segment. The order is fixed by
 * the sizes alone, so the same numbers give the same bits.
 */
#include "device.cuh"

/** How numbers are put together: 0 sum, 1 product, 2 largest, 3 least; an extreme is not-a-number where any number is. */
template <bool SUM>
struct Fold {
  const int operation;

  __device__ __forceinline__ float first(float) const {
    if (SUM || operation == 0) return 0.0f;
    return operation == 1 ? 1.0f : __int_as_float(operation == 2 ? 0xff800000 : 0x7f800000);
  }
  __device__ __forceinline__ int first(int) const {
    if (SUM || operation == 0) return 0;
    return operation == 1 ? 1 : operation == 2 ? (int)0x80000000 : 0x7fffffff;
  }
  __device__ __forceinline__ float of(float a, float b) const {
    if (SUM || operation == 0) return a + b;
    if (operation == 1) return a * b;
    return (operation == 2 ? a > b : a < b) || a != a ? a : b;
  }
  __device__ __forceinline__ int of(int a, int b) const {
    if (SUM || operation == 0) return (int)((u32)a + (u32)b);
    if (operation == 1) return (int)((u32)a * (u32)b);
    return (operation == 2 ? a > b : a < b) ? a : b;
  }
};

__device__ __forceinline__ float scaledNumber(float x, float scale) { return x * scale; }
__device__ __forceinline__ int scaledNumber(int x, float) { return x; }

/** What the numbers of a kind are put together in. */
template <class T>
struct FoldedIn {
  typedef int Type;
};
template <>
struct FoldedIn<float> {
  typedef float Type;
};

/**
 * x [rows, width] → y [rows, pieces], each the fold of a piece of a row, times `scale`. `lanes`, 32 or all threads of the block, go
 * through a piece.
 */
template <bool SUM, class T>
__device__ __forceinline__ void foldRows(Fold<SUM> fold, const T* x, T* y, i64 rows, i64 width, int pieces, int lanes, float scale) {
  typedef typename FoldedIn<T>::Type A;
  __shared__ A parts[8];
  const int lane = threadIdx.x % lanes;
  const int perBlock = blockDim.x / lanes;
  const i64 chunk = ((width + pieces - 1) / pieces + 3) / 4 * 4;
  const bool wide = sizeof(T) == 4 && width % 4 == 0 && ((u64)x & 15) == 0;
  const i64 items = rows * pieces;
  // Every thread of a block goes through the same number of rounds: they meet at barriers.
  for (i64 base = (i64)blockIdx.x * perBlock; base < items; base += (i64)gridDim.x * perBlock) {
    const i64 item = base + threadIdx.x / lanes;
    A folded = fold.first(A());
    if (item < items) {
      const i64 row = item / pieces;
      const i64 begin = (item - row * pieces) * chunk;
      const i64 end = begin + chunk < width ? begin + chunk : width;
      const T* numbers = x + row * width;
      if (wide) {
        struct __align__(16) Four {
          T x[4];
        };
        for (i64 i = begin + 4 * lane; i < end; i += 4 * lanes) {
          const Four four = *reinterpret_cast<const Four*>(numbers + i);
          folded = fold.of(folded, fold.of(fold.of((A)four.x[0], (A)four.x[1]), fold.of((A)four.x[2], (A)four.x[3])));
        }
      } else {
        for (i64 i = begin + lane; i < end; i += lanes) folded = fold.of(folded, (A)numbers[i]);
      }
    }
    for (int mask = 16; mask > 0; mask >>= 1) folded = fold.of(folded, __shfl_xor_sync(0xffffffffu, folded, mask));
    if (lanes > 32) {
      __syncthreads();
      if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = folded;
      __syncthreads();
      folded = parts[0];
      for (int i = 1; i < lanes / 32; i++) folded = fold.of(folded, parts[i]);
    }
    if (lane == 0 && item < items) y[item] = (T)scaledNumber(folded, scale);
  }
}

/** x [outer, rows, width] → y [outer, pieces, width], each the fold of some rows; blocks of 32 columns × 8 rows of threads. */
template <bool SUM, class T>
__device__ __forceinline__ void foldColumns(Fold<SUM> fold, const T* x, T* y, i64 outer, i64 rows, i64 width, int pieces, float scale) {
  typedef typename FoldedIn<T>::Type A;
  __shared__ A parts[8][33];
  const int lane = threadIdx.x & 31;
  const int line = threadIdx.x >> 5;
  const i64 chunk = (rows + pieces - 1) / pieces;
  const i64 tiles = (width + 31) / 32;
  const i64 items = outer * pieces * tiles;
  for (i64 item = blockIdx.x; item < items; item += gridDim.x) {
    const i64 part = item / tiles;
    const i64 column = (item - part * tiles) * 32 + lane;
    const i64 block = part / pieces;
    const i64 begin = (part - block * pieces) * chunk;
    const i64 end = begin + chunk < rows ? begin + chunk : rows;
    A folded = fold.first(A());
    if (column < width) {
      const T* numbers = x + block * rows * width + column;
      for (i64 row = begin + line; row < end; row += 8) folded = fold.of(folded, (A)numbers[row * width]);
    }
    __syncthreads();
    parts[line][lane] = folded;
    __syncthreads();
    if (line == 0 && column < width) {
      for (int i = 1; i < 8; i++) folded = fold.of(folded, parts[i][lane]);
      y[part * width + column] = (T)scaledNumber(folded, scale);
    }
  }
}

#define FOLD_KERNELS(Kind, T, SUM)                                                                                  \
  KERNEL __launch_bounds__(256) foldRows##Kind(int operation, const T* x, T* y, i64 rows, i64 width, int pieces,    \
                                               int lanes, float scale) {                                            \
    foldRows<SUM, T>({operation}, x, y, rows, width, pieces, lanes, scale);                                         \
  }                                                                                                                 \
  KERNEL __launch_bounds__(256) foldColumns##Kind(int operation, const T* x, T* y, i64 outer, i64 rows, i64 width,  \
                                                  int pieces, float scale) {                                        \
    foldColumns<SUM, T>({operation}, x, y, outer, rows, width, pieces, scale);                                      \
  }

FOLD_KERNELS(SumFloat, float, true)
FOLD_KERNELS(Float, float, false)
FOLD_KERNELS(Int, int, false)
FOLD_KERNELS(Bool, unsigned char, false)

#undef FOLD_KERNELS

/** Whether a number at a later or an earlier place takes the lead. */
__device__ __forceinline__ bool leads(float x, int place, float best, int bestPlace, int least) {
  return (least ? x < best : x > best) || (x == best && place < bestPlace);
}

/** The first place of the largest (or least) number in every row of x [rows, width], one block a row. Not-a-number counts only where it
 * is the first of its row. */
KERNEL __launch_bounds__(256) extremePlaces(const float* x, int* y, i64 rows, int width, int least) {
  __shared__ float bests[8];
  __shared__ int places[8];
  for (i64 row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* numbers = x + row * width;
    float best = numbers[0];
    int place = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      if (leads(numbers[i], i, best, place, least)) {
        best = numbers[i];
        place = i;
      }
    }
    for (int mask = 16; mask > 0; mask >>= 1) {
      const float other = __shfl_xor_sync(0xffffffffu, best, mask);
      const int otherPlace = __shfl_xor_sync(0xffffffffu, place, mask);
      if (leads(other, otherPlace, best, place, least)) {
        best = other;
        place = otherPlace;
      }
    }
    __syncthreads();
    if ((threadIdx.x & 31) == 0) {
      bests[threadIdx.x >> 5] = best;
      places[threadIdx.x >> 5] = place;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int i = 1; i < (int)(blockDim.x >> 5); i++) {
        if (leads(bests[i], places[i], best, place, least)) {
          best = bests[i];
          place = places[i];
        }
      }
      y[row] = place;
    }
  }
}

/** y = softmax of the rows of x [rows, width]; `lanes`, 32 or all threads of the block, go through a row. */
KERNEL __launch_bounds__(256) softmaxOfRows(const float* x, float* y, i64 rows, int width, int lanes) {
  __shared__ float buffer[32];
  const int lane = threadIdx.x % lanes;
  const int perBlock = blockDim.x / lanes;
  for (i64 base = (i64)blockIdx.x * perBlock; base < rows; base += (i64)gridDim.x * perBlock) {
    const i64 row = base + threadIdx.x / lanes;
    const bool there = row < rows;
    const float* numbers = x + row * width;
    float largest = __int_as_float(0xff800000);
    if (there) {
      for (int i = lane; i < width; i += lanes) largest = fmaxf(largest, numbers[i]);
    }
    largest = lanes == 32 ? warpMax(largest) : blockMax(largest, buffer);
    float sum = 0.0f;
    if (there) {
      for (int i = lane; i < width; i += lanes) sum += expf(numbers[i] - largest);
    }
    sum = lanes == 32 ? warpSum(sum) : blockSum(sum, buffer);
    if (there) {
      for (int i = lane; i < width; i += lanes) y[row * width + i] = expf(numbers[i] - largest) / sum;
    }
  }
}

/**
 * order [count] holds the rows sorted by their id, those of one id in their own order: row i goes to the place that is the number
 * of rows before it. Blocks of 32 rows, 8 warps that share the comparisons.
 */
KERNEL __launch_bounds__(256) segmentOrder(const int* ids, int* order, int count) {
  __shared__ int tile[256];
  __shared__ int parts[8][33];
  const int lane = threadIdx.x & 31;
  const int line = threadIdx.x >> 5;
  const int row = blockIdx.x * 32 + lane;
  const int id = row < count ? ids[row] : 0;
  int before = 0;
  for (int start = 0; start < count; start += 256) {
    __syncthreads();
    if (start + (int)threadIdx.x < count) tile[threadIdx.x] = ids[start + threadIdx.x];
    __syncthreads();
    for (int i = line * 32; i < line * 32 + 32 && start + i < count; i++) {
      before += tile[i] < id || (tile[i] == id && start + i < row) ? 1 : 0;
    }
  }
  parts[line][lane] = before;
  __syncthreads();
  if (line == 0 && row < count) {
    for (int i = 1; i < 8; i++) before += parts[i][lane];
    order[before] = row;
  }
}

/** Sorted rows that are summed by one thread. */
#define SEGMENT_WINDOW 32

/**
 * y [segments, width] += the sums of the rows of x [count, width] with their id, from the sorted order, one window of it a block (x)
 * and 256 columns (y). A segment that goes beyond its window leaves its sums in `open`: [windows, 2, width], first that of a
 * segment begun before, then that of one that goes on. Ids that are no segment are left out.
 */
KERNEL __launch_bounds__(256) segmentWindows(const float* x, const int* ids, const int* order, float* y, float* open,
                                             int count, int segments, int width) {
  __shared__ int rows[SEGMENT_WINDOW];
  __shared__ int owners[SEGMENT_WINDOW];
  const int window = blockIdx.x;
  const int begin = window * SEGMENT_WINDOW;
  const int size = count - begin < SEGMENT_WINDOW ? count - begin : SEGMENT_WINDOW;
  if ((int)threadIdx.x < size) {
    rows[threadIdx.x] = order[begin + threadIdx.x];
    owners[threadIdx.x] = ids[rows[threadIdx.x]];
  }
  __syncthreads();
  const int column = blockIdx.y * 256 + threadIdx.x;
  if (column >= width) return;
  const int before = begin > 0 ? ids[order[begin - 1]] : 0;
  const int after = begin + size < count ? ids[order[begin + size]] : 0;
  for (int first = 0; first < size;) {
    const int owner = owners[first];
    float sum = 0.0f;
    int last = first;
    for (; last < size && owners[last] == owner; last++) sum += x[(i64)rows[last] * width + column];
    const bool begun = first == 0 && begin > 0 && before == owner;
    const bool goesOn = last == size && begin + size < count && after == owner;
    if (begun) open[((i64)window * 2) * width + column] = sum;
    else if (goesOn) open[((i64)window * 2 + 1) * width + column] = sum;
    else if (owner >= 0 && owner < segments) y[(i64)owner * width + column] += sum;
    first = last;
  }
}

/** Adds the sums of segments that go over several windows; the block of the window where a segment begins does. */
KERNEL __launch_bounds__(256) segmentOpenSums(const int* ids, const int* order, float* y, const float* open, int count,
                                              int segments, int width) {
  const int window = blockIdx.x;
  const int next = (window + 1) * SEGMENT_WINDOW;
  if (next >= count) return;
  const int owner = ids[order[next]];
  const int begin = window * SEGMENT_WINDOW;
  if (ids[order[next - 1]] != owner || owner < 0 || owner >= segments) return;
  if (begin > 0 && ids[order[begin - 1]] == owner) return; // begun before
  const int column = blockIdx.y * 256 + threadIdx.x;
  if (column >= width) return;
  float sum = open[((i64)window * 2 + 1) * width + column];
  const int windows = (count + SEGMENT_WINDOW - 1) / SEGMENT_WINDOW;
  for (int i = window + 1; i < windows && ids[order[i * SEGMENT_WINDOW]] == owner; i++) {
    sum += open[((i64)i * 2) * width + column];
  }
  y[(i64)owner * width + column] += sum;
}
