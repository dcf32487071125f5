/** Numbers that only move: boxes within tensors, transpositions, gathered rows. They move as words of 16, 4 or 1 bytes. */
#include "device.cuh"

struct __align__(16) Word16 {
  u32 x[4];
};

/**
 * The axes of a box and how many elements each place along one is from the next in both tensors (may be negative or 0): the last
 * `rank` of six, so that `sizes[5]` is the last axis.
 */
struct MoveAxes {
  int rank;
  int sizes[6];
  int from[6];
  int to[6];
};

/** `count`, the elements of the box, is below 2^31. */
#define MOVE_KERNEL(name, T)                                                                                          \
  KERNEL __launch_bounds__(256) name(const T* from, T* to, MoveAxes axes, i64 fromStart, i64 toStart, int count) {    \
    const int first = 6 - axes.rank;                                                                                  \
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < (u32)count; i += gridDim.x * blockDim.x) {                \
      u32 rest = i;                                                                                                   \
      i64 source = fromStart;                                                                                         \
      i64 target = toStart;                                                                                           \
      _Pragma("unroll") for (int axis = 5; axis >= 0; axis--) {                                                       \
        if (axis >= first) {                                                                                          \
          const u32 outer = axis > first ? rest / (u32)axes.sizes[axis] : 0;                                          \
          const int place = (int)(rest - outer * (u32)axes.sizes[axis]);                                              \
          source += (i64)place * axes.from[axis];                                                                     \
          target += (i64)place * axes.to[axis];                                                                       \
          rest = outer;                                                                                               \
        }                                                                                                             \
      }                                                                                                               \
      to[target] = from[source];                                                                                      \
    }                                                                                                                 \
  }

MOVE_KERNEL(moveWords16, Word16)
MOVE_KERNEL(moveWords4, u32)
MOVE_KERNEL(moveBytes, unsigned char)

#undef MOVE_KERNEL

/** [batch, rows, columns] → [batch, columns, rows], 32 × 32 at a time through shared memory; blocks of 32 × 8 threads in one line. */
KERNEL __launch_bounds__(256) transposeWords4(const u32* from, u32* to, int batch, int rows, int columns) {
  __shared__ u32 tile[32][33];
  const int x = threadIdx.x & 31;
  const int y = threadIdx.x >> 5;
  const int column = blockIdx.x * 32;
  const int row = blockIdx.y * 32;
  const i64 size = (i64)rows * columns;
  for (int item = blockIdx.z; item < batch; item += gridDim.z) {
    const u32* source = from + item * size;
    u32* target = to + item * size;
    for (int i = y; i < 32; i += 8) {
      if (row + i < rows && column + x < columns) tile[i][x] = source[(i64)(row + i) * columns + column + x];
    }
    __syncthreads();
    for (int i = y; i < 32; i += 8) {
      if (column + i < columns && row + x < rows) target[(i64)(column + i) * rows + row + x] = tile[x][i];
    }
    __syncthreads();
  }
}

template <class T>
__device__ __forceinline__ T missingWord();
template <>
__device__ __forceinline__ Word16 missingWord<Word16>() {
  return {{0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}};
}
template <>
__device__ __forceinline__ u32 missingWord<u32>() {
  return 0xffffffffu;
}
template <>
__device__ __forceinline__ unsigned char missingWord<unsigned char>() {
  return 0;
}

/**
 * y [blocks, count, width] = rows of x [blocks, size, width]; `outer` blocks share a list of `count` indices. An index that is none
 * gives not-a-number, −1 or false. `total`, the elements of y, is below 2^31.
 */
#define GATHER_KERNEL(name, T)                                                                                         \
  KERNEL __launch_bounds__(256)                                                                                        \
      name(const T* x, const int* indices, T* y, int outer, int count, int size, int width, int total) {               \
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < (u32)total; i += gridDim.x * blockDim.x) {                 \
      const u32 row = i / (u32)width;                                                                                  \
      const u32 column = i - row * (u32)width;                                                                         \
      const u32 block = row / (u32)count;                                                                              \
      const u32 place = row - block * (u32)count;                                                                      \
      const int index = indices[block / (u32)outer * (u32)count + place];                                              \
      const bool there = index >= 0 && index < size;                                                                   \
      y[i] = there ? x[((i64)block * size + index) * width + column] : missingWord<T>();                               \
    }                                                                                                                  \
  }

GATHER_KERNEL(gatherWords16, Word16)
GATHER_KERNEL(gatherWords4, u32)
GATHER_KERNEL(gatherBytes, unsigned char)

#undef GATHER_KERNEL
