/**
 * Element by element: unary functions, arithmetic and comparisons with broadcasting, casts, choice. The numbers of operations are
 * those of kernels/arithmeticKernels.ts. Every kernel goes through its elements in strides of the whole grid.
 */
#include "device.cuh"

__device__ __forceinline__ float notANumber() { return __int_as_float(0x7fc00000); }

/** Applies a short function to four numbers. */
#define FOUR(expression)             \
  _Pragma("unroll") for (int j = 0; j < 4; j++) { \
    const float x = v[j];            \
    v[j] = (expression);             \
  }                                  \
  break;

/** The same for a long one, whose code is not repeated. */
#define FOUR_IN_TURN(expression)     \
  {                                  \
    float each[4] = {v[0], v[1], v[2], v[3]}; \
    _Pragma("unroll 1") for (int j = 0; j < 4; j++) { \
      const float x = each[j];       \
      each[j] = (expression);        \
    }                                \
    _Pragma("unroll") for (int j = 0; j < 4; j++) v[j] = each[j]; \
  }                                  \
  break;

__device__ __forceinline__ void unaryOfFour(int operation, float (&v)[4], float alpha, float beta) {
  switch (operation) {
    case 0: FOUR(-x)
    case 1: FOUR(fabsf(x))
    case 2: FOUR(x * x)
    case 3: FOUR(sqrtf(x))
    case 4: FOUR(1.0f / sqrtf(x))
    case 5: FOUR(expf(x))
    case 6: FOUR_IN_TURN(expm1f(x))
    case 7: FOUR_IN_TURN(logf(x))
    case 8: FOUR_IN_TURN(log1pf(x))
    case 9: FOUR_IN_TURN(erff(x))
    case 10: FOUR_IN_TURN(tanhf(x))
    case 11: FOUR(1.0f / (1.0f + expf(-x)))
    case 12: FOUR(1.0f / x)
    case 13: FOUR(x < 0.0f ? 0.0f : x)
    case 14: FOUR(x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x)
    case 15: FOUR(x >= 0.0f ? x : expf(x) - 1.0f)
    case 16: FOUR_IN_TURN(x != x ? x : (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x))))
    case 17: FOUR_IN_TURN(sinf(x))
    case 18: FOUR_IN_TURN(cosf(x))
    case 19: FOUR(x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f)
    case 20: FOUR(floorf(x))
    case 21: FOUR(ceilf(x))
    case 22: FOUR(rintf(x))
    case 23: FOUR(x != x ? x : x > 0.0f ? 1.0f : alpha)
    case 24: FOUR(x > beta ? beta : x < alpha ? alpha : x)
    case 25: FOUR(x < 0.0f ? alpha * x : x)
  }
}

#undef FOUR
#undef FOUR_IN_TURN

/** Four elements from `place` on, of which `size` exist; the others are the first one. */
template <class T>
__device__ __forceinline__ void loadUpToFour(T (&v)[4], const T* p, i64 size, bool wide) {
  struct __align__(4 * sizeof(T)) Four {
    T x[4];
  };
  if (wide && size >= 4) {
    const Four four = *reinterpret_cast<const Four*>(p);
#pragma unroll
    for (int j = 0; j < 4; j++) v[j] = four.x[j];
  } else {
#pragma unroll
    for (int j = 0; j < 4; j++) v[j] = p[j < size ? j : 0];
  }
}

template <class T>
__device__ __forceinline__ void storeUpToFour(T* p, const T (&v)[4], i64 size, bool wide) {
  struct __align__(4 * sizeof(T)) Four {
    T x[4];
  };
  if (wide && size >= 4) {
    Four four;
#pragma unroll
    for (int j = 0; j < 4; j++) four.x[j] = v[j];
    *reinterpret_cast<Four*>(p) = four;
  } else {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      if (j < size) p[j] = v[j];
    }
  }
}

template <class T>
__device__ __forceinline__ bool isWide(const T* p) {
  return ((u64)p & (4 * sizeof(T) - 1)) == 0;
}

KERNEL __launch_bounds__(256) unaryFloat(int operation, const float* x, float* y, i64 count, float alpha, float beta) {
  const bool wide = isWide(x) && isWide(y);
  const i64 stride = 4ll * gridDim.x * blockDim.x;
  for (i64 i = 4 * ((i64)blockIdx.x * blockDim.x + threadIdx.x); i < count; i += stride) {
    float v[4];
    loadUpToFour(v, x + i, count - i, wide);
    unaryOfFour(operation, v, alpha, beta);
    storeUpToFour(y + i, v, count - i, wide);
  }
}

/**
 * The axes of a broadcast and how far the two operands move along each: the last `rank` of six, so that `sizes[5]` is the last
 * axis. Without gaps in both if the rank is 0.
 */
struct BroadcastAxes {
  int rank;
  int sizes[6];
  int a[6];
  int b[6];
};

/** As JavaScript's: not-a-number for an exponent that is, and for ±1 to the power of ±infinity. */
__device__ __forceinline__ float powerOf(float a, float b) {
  const bool none = b != b || (fabsf(a) == 1.0f && fabsf(b) == __int_as_float(0x7f800000));
  return none ? notANumber() : powf(a, b);
}

/** The remainder with the divisor's sign. */
__device__ __forceinline__ float remainderOf(float a, float b) {
  const float rest = fmodf(a, b);
  if ((a < 0.0f && b < 0.0f) || (a >= 0.0f && b >= 0.0f)) return rest;
  // rest + b is less than twice the divisor, or not-a-number.
  const float sum = rest + b;
  return fabsf(sum) >= fabsf(b) ? sum - b : sum;
}

__device__ __forceinline__ int remainderOf(int a, int b) {
  if (b == 0) return 0;
  const i64 rest = (i64)a % b;
  return (int)((a < 0) == (b < 0) || rest == 0 ? rest : rest + b);
}

/** Rounded down; 0 for a divisor of 0, as an infinite number becomes as int32. */
__device__ __forceinline__ int floorDivided(int a, int b) {
  if (b == 0) return 0;
  const i64 quotient = (i64)a / b;
  return (int)((i64)a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient);
}

#define FOUR(expression)                            \
  _Pragma("unroll") for (int j = 0; j < 4; j++) {   \
    const auto a = left[j];                         \
    const auto b = right[j];                        \
    result[j] = (expression);                       \
  }                                                 \
  break;

#define FOUR_IN_TURN(T, expression)                                         \
  {                                                                         \
    T each[4] = {left[0], left[1], left[2], left[3]};                       \
    T other[4] = {right[0], right[1], right[2], right[3]};                  \
    _Pragma("unroll 1") for (int j = 0; j < 4; j++) {                       \
      const T a = each[j];                                                  \
      const T b = other[j];                                                 \
      each[j] = (expression);                                               \
    }                                                                       \
    _Pragma("unroll") for (int j = 0; j < 4; j++) result[j] = each[j];      \
  }                                                                         \
  break;

/** Maximum and minimum are not-a-number where either operand is. */
__device__ __forceinline__ void binaryOfFour(int operation, const float (&left)[4], const float (&right)[4],
                                             float (&result)[4]) {
  switch (operation) {
    case 0: FOUR(a + b)
    case 1: FOUR(a - b)
    case 2: FOUR(a * b)
    case 3: FOUR(a / b)
    case 4: FOUR(a > b || a != a ? a : b)
    case 5: FOUR(a < b || a != a ? a : b)
    case 6: FOUR((a - b) * (a - b))
    case 7: FOUR_IN_TURN(float, powerOf(a, b))
    case 8: FOUR_IN_TURN(float, remainderOf(a, b))
  }
}

__device__ __forceinline__ void binaryOfFour(int operation, const int (&left)[4], const int (&right)[4],
                                             int (&result)[4]) {
  switch (operation) {
    case 0: FOUR((int)((u32)a + (u32)b))
    case 1: FOUR((int)((u32)a - (u32)b))
    case 2: FOUR((int)((u32)a * (u32)b))
    case 3: FOUR(a > b ? a : b)
    case 4: FOUR(a < b ? a : b)
    case 5: FOUR((int)(((u32)a - (u32)b) * ((u32)a - (u32)b)))
    case 6: FOUR_IN_TURN(int, remainderOf(a, b))
    case 7: FOUR_IN_TURN(int, floorDivided(a, b))
  }
}

template <class T>
__device__ __forceinline__ void binaryOfFour(int operation, const T (&left)[4], const T (&right)[4],
                                             unsigned char (&result)[4]) {
  switch (operation) {
    case 0: FOUR(a == b)
    case 1: FOUR(a != b)
    case 2: FOUR(a < b)
    case 3: FOUR(a <= b)
    case 4: FOUR(a > b)
    case 5: FOUR(a >= b)
    case 6: FOUR(a && b)
    case 7: FOUR(a || b)
  }
}

#undef FOUR
#undef FOUR_IN_TURN

/** Where both operands of an element are. */
__device__ __forceinline__ void broadcastPlaces(const BroadcastAxes& axes, u32 element, i64& a, i64& b) {
  const int first = 6 - axes.rank;
  u32 rest = element;
  a = 0;
  b = 0;
#pragma unroll
  for (int axis = 5; axis >= 0; axis--) {
    if (axis >= first) {
      const u32 outer = axis > first ? rest / (u32)axes.sizes[axis] : 0;
      const int place = (int)(rest - outer * (u32)axes.sizes[axis]);
      a += (i64)place * axes.a[axis];
      b += (i64)place * axes.b[axis];
      rest = outer;
    }
  }
}

/** With gaps `count` must be below 2^31. */
template <class T, class R>
__device__ __forceinline__ void runBinary(int operation, const T* a, const T* b, R* y, const BroadcastAxes& axes,
                                          i64 count) {
  const bool wide = isWide(a) && isWide(b);
  const bool wideResult = isWide(y);
  const i64 stride = 4ll * gridDim.x * blockDim.x;
  for (i64 i = 4 * ((i64)blockIdx.x * blockDim.x + threadIdx.x); i < count; i += stride) {
    T left[4];
    T right[4];
    R result[4];
    const i64 size = count - i;
    if (axes.rank == 0) {
      loadUpToFour(left, a + i, size, wide);
      loadUpToFour(right, b + i, size, wide);
    } else {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        i64 placeA;
        i64 placeB;
        broadcastPlaces(axes, (u32)i + (j < size ? j : 0), placeA, placeB);
        left[j] = a[placeA];
        right[j] = b[placeB];
      }
    }
    binaryOfFour(operation, left, right, result);
    storeUpToFour(y + i, result, size, wideResult);
  }
}

#define BINARY_KERNEL(name, T, R)                                                                                    \
  KERNEL __launch_bounds__(256) name(int operation, const T* a, const T* b, R* y, BroadcastAxes axes, i64 count) {   \
    runBinary<T, R>(operation, a, b, y, axes, count);                                                                \
  }

BINARY_KERNEL(binaryFloat, float, float)
BINARY_KERNEL(binaryInt, int, int)
BINARY_KERNEL(compareFloat, float, unsigned char)
BINARY_KERNEL(compareInt, int, unsigned char)
BINARY_KERNEL(compareBool, unsigned char, unsigned char)

#undef BINARY_KERNEL

#define EACH_ELEMENT(i, count)                                                   \
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += (i64)gridDim.x * blockDim.x)

KERNEL __launch_bounds__(256) logicalNot(const unsigned char* x, unsigned char* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = !x[i];
}

/** `yes` where the condition holds, `no` elsewhere, of 4-byte numbers. */
KERNEL __launch_bounds__(256)
    selectWords(const unsigned char* condition, const u32* yes, const u32* no, u32* result, i64 count) {
  EACH_ELEMENT(i, count) result[i] = condition[i] ? yes[i] : no[i];
}

/** Rounds towards zero, and then takes the lowest 32 bits, as an Int32Array does. */
__device__ __forceinline__ int wrappedInt(float x) { return fabsf(x) < 9.2e18f ? (int)(u32)(u64)(i64)x : 0; }

KERNEL __launch_bounds__(256) castFloatToInt(const float* x, int* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = wrappedInt(x[i]);
}
KERNEL __launch_bounds__(256) castFloatToBool(const float* x, unsigned char* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = x[i] != 0.0f;
}
KERNEL __launch_bounds__(256) castIntToFloat(const int* x, float* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = (float)x[i];
}
KERNEL __launch_bounds__(256) castIntToBool(const int* x, unsigned char* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = x[i] != 0;
}
KERNEL __launch_bounds__(256) castBoolToFloat(const unsigned char* x, float* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = (float)x[i];
}
KERNEL __launch_bounds__(256) castBoolToInt(const unsigned char* x, int* y, i64 count) {
  EACH_ELEMENT(i, count) y[i] = (int)x[i];
}

/** Rounds float32 to bf16, to nearest even. */
KERNEL __launch_bounds__(256) castFloatToBf16(const float* x, bf16* y, i64 count) {
  const i64 vectors = (((u64)x | (u64)y) & 15) == 0 ? count / 4 : 0;
  EACH_ELEMENT(i, vectors) store4(y + 4 * i, load4(x + 4 * i));
  EACH_ELEMENT(i, count - 4 * vectors) y[4 * vectors + i] = toBf16(x[4 * vectors + i]);
}

KERNEL __launch_bounds__(256) fillWords(u32* y, int bits, i64 count) { EACH_ELEMENT(i, count) y[i] = (u32)bits; }

/** Row i of [count, depth] is `off`, and `on` at its index if that is one. */
KERNEL __launch_bounds__(256)
    oneHotWords(const int* indices, u32* y, int depth, int on, int off, i64 count) {
  EACH_ELEMENT(i, count * depth) y[i] = (u32)(indices[i / depth] == (int)(i % depth) ? on : off);
}
