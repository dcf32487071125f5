/** Operands of a product in float32: a step along the depth is one number of each. */
#pragma once
#include "operands.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Numbers of a row of the depth that one step takes in. */
constexpr long kStepDepth = 1;

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

/** Rows [i, i + rows) of A at depths [p0, p0 + kc); in place where they lie well and `columns` are few. */
INLINE LeftTile leftTile(Left a, long i, long rows, long p0, long kc, long columns, float* scratch) {
  if (a.transposed) {
    const float* from = a.at + p0 * a.stride + i;
    if constexpr (MR <= W) {
      const Part lanes{rows};
      for (long p = 0; p < kc; p++) store(scratch + p * kLeftStride, load(from + p * a.stride, lanes));
    } else if (rows == MR) {
      for (long p = 0; p < kc; p++) {
        for (int r = 0; r < MR; r++) scratch[p * kLeftStride + r] = from[p * a.stride + r];
      }
    } else {
      for (long p = 0; p < kc; p++) {
        for (long r = 0; r < rows; r++) scratch[p * kLeftStride + r] = from[p * a.stride + r];
      }
    }
    return {scratch, kLeftStride, false};
  }
  const float* from = a.at + i * a.stride + p0;
  if (a.stride < kFarRows || columns < 4 * NR) return {from, a.stride, true};
  for (long r = 0; r < rows; r++) {
    for (long p = 0; p < kc; p++) scratch[p * kLeftStride + r] = from[r * a.stride + p];
  }
  return {scratch, kLeftStride, false};
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
