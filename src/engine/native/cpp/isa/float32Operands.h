/** Operands of a product in float32: a step along the depth is one number of each. */
#pragma once
#include "operands.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Numbers of a row of the depth that one step takes in. */
constexpr long kStepDepth = 1;
/** Steps that a tile goes on at a time. */
constexpr long kStepsAtOnce = 1;

/** One step of neighbouring columns. */
template <class L>
INLINE V stepAcross(const float* from, long, long, L lanes) {
  return load(from, lanes);
}

/** W steps of a row that has `depth` numbers; zeros past its end. */
INLINE V stepsAlong(const float* from, long depth) { return depth >= W ? load(from) : load(from, Part{depth}); }

INLINE V splatStep(const float* step) { return splat(*step); }

/** sum + a b */
INLINE V addStep(V sum, V a, V b) { return sum + a * b; }

/** Rows this many floats apart share few sets of a cache: they are copied together first. */
constexpr long kFarRows = 512;

/** Of packing.h. */
template <int stride>
static void packSquare(const float* b, long ldb, long rows, long depth, long steps, float* out);

/** Rows [i, i + rows) of a row-major A at depths [p0, p0 + kc); in place where they lie well and `columns` are few. */
INLINE LeftTile leftTile(Left a, long i, long rows, long p0, long kc, long columns, float* scratch) {
  const float* from = a.at + i * a.stride + p0;
  if (a.stride < kFarRows || columns < 4 * NR) return {from, a.stride, true};
  if constexpr (MR <= W) {
    for (long p = 0; p < kc; p += W) {
      packSquare<kLeftStride>(from + p, a.stride, rows, kc - p, min<long>(W, kc - p), scratch + p * kLeftStride);
    }
  } else {
    for (long r = 0; r < rows; r++) {
      for (long p = 0; p < kc; p++) scratch[p * kLeftStride + r] = from[r * a.stride + p];
    }
  }
  return {scratch, kLeftStride, false};
}

/** Copies rows [i, i + m) of a transposed A, in tiles of `tall` rows, kLeftTile apart; returns the stride of a step. */
static long packLeft(Left a, long i, long m, long tall, long p0, long kc, float* scratch) {
  const float* from = a.at + p0 * a.stride + i;
  for (long p = 0; p < kc; p++, from += a.stride) {
    float* to = scratch + p * kLeftStride;
    for (long r = 0; r < m; r += tall, to += kLeftTile) {
      const long rows = min(tall, m - r);
      if constexpr (MR <= W) {
        store(to, load(from + r, Part{rows}));
      } else {
        for (long each = 0; each < rows; each++) to[each] = from[r + each];
      }
    }
  }
  return kLeftStride;
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
