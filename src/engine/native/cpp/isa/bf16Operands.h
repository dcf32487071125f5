/**
 * Operands of a product in bf16: a step along the depth is a pair of numbers of each, rounded to bf16 and put into the
 * 32 bits of one lane, the first in the lower half. An odd depth ends in a pair with zero. Sums are float32.
 *
 * Pairs travel as floats that are only moved, never computed with.
 */
#pragma once
#include "operands.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Numbers of a row of the depth that one step takes in. */
constexpr long kStepDepth = 2;

#if defined(__AVX512BF16__)
/** Two vectors rounded to bf16, to nearest with ties to even, the first in the lower half. Denormals become zeros. */
INLINE __m512i bothInBf16(V first, V second) {
  return reinterpret_cast<__m512i>(
      _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second), reinterpret_cast<__m512>(first)));
}

INLINE V pairs(V first, V second) {
  static const int16_t kZip[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return reinterpret_cast<V>(_mm512_permutexvar_epi16(_mm512_loadu_si512(kZip), bothInBf16(first, second)));
}

/** Pairs of neighbouring lanes of two vectors. */
INLINE V neighbours(V a, V b) { return reinterpret_cast<V>(bothInBf16(a, b)); }
#else
constexpr uint32_t kUpperHalf = 0xffff0000u;

/** Numbers rounded to bf16, to nearest with ties to even, in the upper halves of the lanes; NaN stays NaN. */
INLINE VU roundToBf16(V x) {
  const VU bits = reinterpret_cast<VU>(x);
  const VU rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const VU notNumbers = reinterpret_cast<VU>(x != x);
  return (((bits | 0x400000u) & notNumbers) | (rounded & ~notNumbers)) & kUpperHalf;
}

INLINE V pairs(V first, V second) { return reinterpret_cast<V>((roundToBf16(first) >> 16) | roundToBf16(second)); }

/** The even and the odd ones of the lanes of two vectors. */
#if defined(__AVX512F__)
#define TOKENFUSE_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define TOKENFUSE_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#else
#define TOKENFUSE_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define TOKENFUSE_ODD 1, 3, 5, 7, 9, 11, 13, 15
#endif
#if defined(__clang__) || __GNUC__ >= 12
INLINE V evenLanes(V a, V b) { return __builtin_shufflevector(a, b, TOKENFUSE_EVEN); }
INLINE V oddLanes(V a, V b) { return __builtin_shufflevector(a, b, TOKENFUSE_ODD); }
#else
INLINE V evenLanes(V a, V b) { return __builtin_shuffle(a, b, VU{TOKENFUSE_EVEN}); }
INLINE V oddLanes(V a, V b) { return __builtin_shuffle(a, b, VU{TOKENFUSE_ODD}); }
#endif

/** Pairs of neighbouring lanes of two vectors. */
INLINE V neighbours(V a, V b) { return pairs(evenLanes(a, b), oddLanes(a, b)); }
#endif

/** One step of neighbouring columns: their numbers at `from` and, where the depth goes on, one row of `ldb` further. */
template <class L>
INLINE V stepAcross(const float* from, long ldb, long depth, L lanes) {
  return pairs(load(from, lanes), depth > 1 ? load(from + ldb, lanes) : V{});
}

/** W steps of a row that has `depth` numbers; zeros past its end. */
INLINE V stepsAlong(const float* from, long depth) {
  const V a = depth >= W ? load(from) : load(from, Part{depth});
  const V b = depth >= 2 * W ? load(from + W) : depth > W ? load(from + W, Part{depth - W}) : V{};
  return neighbours(a, b);
}

INLINE V splatStep(const float* step) {
  uint32_t pair;
  __builtin_memcpy(&pair, step, sizeof(pair));
  return reinterpret_cast<V>(VU{} + pair);
}

/**
 * sum + a₁ b₁ + a₀ b₀ of the pairs (a₀, a₁) and (b₀, b₁) of every lane, the second ones first, with a rounding after each.
 * Source: VDPBF16PS in Intel's Software Developer's Manual.
 */
#if defined(__AVX512BF16__)
INLINE V dotPairs(V sum, V a, V b) {
  return reinterpret_cast<V>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a),
                                              reinterpret_cast<__m512bh>(b)));
}
#else
INLINE V firstOfPairs(V x) { return reinterpret_cast<V>(reinterpret_cast<VU>(x) << 16); }
INLINE V secondOfPairs(V x) { return reinterpret_cast<V>(reinterpret_cast<VU>(x) & kUpperHalf); }
/** The same by float32 operations: a product of two bf16 numbers is exact. Denormals, here kept, are zeros there. */
INLINE V dotPairs(V sum, V a, V b) {
  sum += secondOfPairs(a) * secondOfPairs(b);
  return sum + firstOfPairs(a) * firstOfPairs(b);
}
#endif

INLINE V addStep(V sum, V a, V b) { return dotPairs(sum, a, b); }

#if defined(__AMX_BF16__)
/** Steps that a tile goes on at a time. */
constexpr long kStepsAtOnce = 16;
#else
constexpr long kStepsAtOnce = 1;

/** Rows [i, i + rows) of a row-major A at depths [p0, p0 + kc), rounded. */
INLINE LeftTile leftTile(Left a, long i, long rows, long p0, long kc, long, float* scratch) {
  constexpr long steps = KC / kStepDepth;
  for (long r = 0; r < rows; r++) {
    const float* from = a.at + (i + r) * a.stride + p0;
    for (long p = 0; p < kc; p += W * kStepDepth) store(scratch + r * steps + p / kStepDepth, stepsAlong(from + p, kc - p));
  }
  return {scratch, steps, true};
}

/** Rows [i, i + m) of a transposed A, rounded, in tiles of `tall` rows, kLeftTile apart; returns the stride of a step. */
static long packLeft(Left a, long i, long m, long tall, long p0, long kc, float* scratch) {
  for (long p = 0; p < kc; p += kStepDepth) {
    const float* from = a.at + (p0 + p) * a.stride + i;
    float* to = scratch + p / kStepDepth * kLeftStride;
    for (long r = 0; r < m; r += tall, to += kLeftTile) {
      const Part lanes{min(tall, m - r)};
      store(to, stepAcross(from + r, a.stride, kc - p, lanes), lanes);
    }
  }
  return kLeftStride;
}
#endif

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
