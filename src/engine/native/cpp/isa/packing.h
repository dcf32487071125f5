/** The right factor of a product, rearranged so that a tile reads it from end to end. */
#pragma once
#if defined(TOKENFUSE_BF16)
#include "bf16Operands.h"
#else
#include "float32Operands.h"
#endif

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Depth of the blocks that depth k is cut into: equal ones of whole steps, of at most KC. */
INLINE long blockDepth(long k) {
  const long blocks = (k + KC - 1) / KC;
  return blocks <= 1 ? k : roundUp((k + blocks - 1) / blocks, kStepDepth * kStepsAtOnce);
}

/** Steps of that depth, the last ones zeros where a tile takes several at once. */
INLINE long stepsOf(long depth) { return roundUp((depth + kStepDepth - 1) / kStepDepth, kStepsAtOnce); }

/** Floats of a packed [k, n] matrix. */
INLINE long packedSize(long k, long n) { return stepsOf(k) * roundUp(n, NR); }

/** Lanes of two vectors taken in turn, of their first or second halves. */
#if defined(__AVX512F__)
#define TOKENFUSE_ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define TOKENFUSE_ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif defined(__AVX2__)
#define TOKENFUSE_ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define TOKENFUSE_ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define TOKENFUSE_ZIP_LOW 0, 4, 1, 5
#define TOKENFUSE_ZIP_HIGH 2, 6, 3, 7
#endif
#if defined(__clang__) || __GNUC__ >= 12
INLINE V zipLow(V a, V b) { return __builtin_shufflevector(a, b, TOKENFUSE_ZIP_LOW); }
INLINE V zipHigh(V a, V b) { return __builtin_shufflevector(a, b, TOKENFUSE_ZIP_HIGH); }
#else
INLINE V zipLow(V a, V b) { return __builtin_shuffle(a, b, VU{TOKENFUSE_ZIP_LOW}); }
INLINE V zipHigh(V a, V b) { return __builtin_shuffle(a, b, VU{TOKENFUSE_ZIP_HIGH}); }
#endif

/** Writes lane j of square[0][p] to lane p of the vector of the result at j; returns which half of `square` holds it. */
INLINE int turnSquare(V (&square)[2][W]) {
  // Row and lane number, written after each other, are turned by one bit; after log₂ W turns they have changed places.
  int from = 0;
#pragma GCC unroll 4
  for (int width = W; width > 1; width /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; i++) {
      square[1 - from][2 * i] = zipLow(square[from][i], square[from][i + W / 2]);
      square[1 - from][2 * i + 1] = zipHigh(square[from][i], square[from][i + W / 2]);
    }
    from = 1 - from;
  }
  return from;
}

/**
 * out[p · stride + j] = step p of row j, whose `depth` numbers start at b[j · ldb], for p < steps ≤ W and j < W; zeros for
 * j ≥ rows.
 */
template <int stride>
static void packSquare(const float* b, long ldb, long rows, long depth, long steps, float* out) {
  V square[2][W];
  for (int j = 0; j < W; j++) square[0][j] = j < rows ? stepsAlong(b + j * ldb, depth) : V{};
  const int from = turnSquare(square);
  if (steps == W) {
#pragma GCC unroll 16
    for (int p = 0; p < W; p++) store(out + p * stride, square[from][p]);
    return;
  }
  for (long p = 0; p < steps; p++) store(out + p * stride, square[from][p]);
}

/**
 * Packs panel number `panel` of B [k, n]; with `transposed`, B is stored [n, k].
 *
 * Packed: for every block of depth all panels, [steps, NR] each, the last one filled with zeros.
 */
static void packPanel(const float* b, long ldb, bool transposed, long k, long n, long panel, float* packed) {
  const long width = roundUp(n, NR);
  const long j0 = panel * NR;
  const long columns = min<long>(NR, n - j0);
  const long depth = blockDepth(k);
  for (long p0 = 0; p0 < k; p0 += depth) {
    const long kc = min(depth, k - p0);
    const long steps = stepsOf(kc);
    float* out = packed + stepsOf(p0) * width + j0 * steps;
    if (!transposed) {
      for (long p = 0; p < steps; p++) {
        const float* from = b + (p0 + p * kStepDepth) * ldb + j0;
        const long rest = kc - p * kStepDepth;
        for (int v = 0; v < NV; v++) {
          const long lanes = columns - v * W;
          const V step = rest <= 0    ? V{}
                         : lanes >= W ? stepAcross(from + v * W, ldb, rest, Whole{})
                         : lanes <= 0 ? V{}
                                      : stepAcross(from + v * W, ldb, rest, Part{lanes});
          store(out + p * NR + v * W, step);
        }
      }
      continue;
    }
    const float* from = b + j0 * ldb + p0;
    for (long j = 0; j < NR; j += W) {
      const long rows = min<long>(W, columns - j);
      for (long p = 0; p < steps; p += W) {
        const long square = min<long>(W, steps - p);
        if (rows > 0) {
          packSquare<NR>(from + j * ldb + p * kStepDepth, ldb, rows, kc - p * kStepDepth, square, out + p * NR + j);
        } else {
          for (long i = p; i < p + square; i++) store(out + i * NR + j, V{});
        }
      }
    }
  }
}

/** Packs all of B [k, n]. */
static void pack(const float* b, long ldb, bool transposed, long k, long n, float* packed) {
  for (long panel = 0; panel * NR < n; panel++) packPanel(b, ldb, transposed, k, n, panel, packed);
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
