/**
 * Tiles of a product in the matrix registers of AMX: 32 × 32 sums in four of them, 16 rows by 16 steps of A and 16 steps by
 * 16 columns of B in two each. What is packed for AVX512-BF16 is what they load: a step is a pair of bf16 numbers.
 *
 * Every sum starts at zero in its tile and is added to C at the end, wherever in a tile it lies: which rows and columns
 * share a tile depends on the number of threads, and must not show. TDPBF16PS adds up even and odd numbers of 32 of the
 * depth apart and takes numbers below 2⁻¹²⁶ for zeros. Source: Intel's Software Developer's Manual.
 */
#pragma once
#include "packing.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Rows of a register, and steps that one instruction takes in. */
constexpr long kTileRows = 16;
static_assert(kStepsAtOnce == kTileRows && MR == 2 * kTileRows && NR == 2 * W, "two by two tiles of 16 by 16");

/** While it lives, this thread's eight tiles are 16 rows of 64 bytes. */
struct TileRegisters {
  TileRegisters() {
    struct alignas(64) {
      uint8_t palette = 1, startRow = 0, reserved[14] = {};
      uint16_t bytesOfRow[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } shape;
    // Some compilers' intrinsics do not say that they read all of it.
    __asm__ volatile("" : : "r"(&shape) : "memory");
    _tile_loadconfig(&shape);
  }
  ~TileRegisters() { _tile_release(); }
  TileRegisters(const TileRegisters&) = delete;
};

/** Steps from one row of A to the next. */
constexpr long kLeftStride = KC / kStepDepth;

/** Rows [i, i + rows) of A at depths [p0, p0 + kc), rounded, row by row, with zeros up to a whole number of tiles along. */
INLINE LeftTile leftTile(Left a, long i, long rows, long p0, long kc, long, float* scratch) {
  if (!a.transposed) {
    for (long r = 0; r < rows; r++) {
      const float* from = a.at + (i + r) * a.stride + p0;
      float* to = scratch + r * kLeftStride;
      for (long p = 0; p < kc; p += W * kStepDepth) store(to + p / kStepDepth, stepsAlong(from + p, kc - p));
    }
    return {scratch, kLeftStride, true};
  }
  for (long p = 0; p < kc; p += W * kStepDepth) {
    for (long half = 0; half < rows; half += W) {
      const long lanes = least<long>(W, rows - half);
      V square[2][W];
      for (long step = 0; step < W; step++) {
        const long depth = p + step * kStepDepth;
        const float* from = a.at + (p0 + depth) * a.stride + i + half;
        square[0][step] = depth >= kc  ? V{}
                          : lanes == W ? stepAcross(from, a.stride, kc - depth, Whole{})
                                       : stepAcross(from, a.stride, kc - depth, Part{lanes});
      }
      const int turned = turnSquare(square);
      float* to = scratch + half * kLeftStride + p / kStepDepth;
      for (long r = 0; r < lanes; r++) store(to + r * kLeftStride, square[turned][r]);
    }
  }
  return {scratch, kLeftStride, true};
}

/** Sums of `down` by `across` tiles, written to `to`. */
template <bool down, bool across>
INLINE void sumTiles(long steps, const LeftTile& left, const float* panel, float* to, long stride) {
  constexpr long row = sizeof(float);
  const float* lower = left.at + kTileRows * left.stride;
  // Nor that tiles are read from memory.
  __asm__ volatile("" : : : "memory");
  _tile_zero(0);
  if constexpr (across) _tile_zero(1);
  if constexpr (down) _tile_zero(2);
  if constexpr (down && across) _tile_zero(3);
  for (long p = 0; p < steps; p += kStepsAtOnce) {
    _tile_loadd(6, panel + p * NR, NR * row);
    _tile_loadd(4, left.at + p, left.stride * row);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (across) {
      _tile_loadd(7, panel + p * NR + W, NR * row);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (down) {
      _tile_loadd(5, lower + p, left.stride * row);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (down && across) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, to, stride * row);
  if constexpr (across) _tile_stored(1, to + W, stride * row);
  if constexpr (down) _tile_stored(2, to + kTileRows * stride, stride * row);
  if constexpr (down && across) _tile_stored(3, to + kTileRows * stride + W, stride * row);
}

/** Rows of C, MR at most, by one panel of B after the other. */
struct RowTiles {
  LeftTile left;
  long rows;

  /** c[rows, columns] = or += the rows by a panel [steps, NR]. */
  void operator()(long steps, const float* panel, float* c, long cs, long columns, bool add) const {
    const bool down = rows > kTileRows;
    const bool across = columns > W;
    // Whole tiles go where they belong; the others, and what is added, by way of a block beside it.
    const bool whole = !add && (rows == kTileRows || rows == MR) && (columns == W || columns == NR);
    alignas(64) float block[MR * NR];
    float* to = whole ? c : block;
    const long stride = whole ? cs : NR;
    if (down && across) sumTiles<true, true>(steps, left, panel, to, stride);
    else if (down) sumTiles<true, false>(steps, left, panel, to, stride);
    else if (across) sumTiles<false, true>(steps, left, panel, to, stride);
    else sumTiles<false, false>(steps, left, panel, to, stride);
    if (whole) return;
    for (long r = 0; r < rows; r++) {
      eachVector(columns, [&](long j, auto lanes) {
        const V sum = load(block + r * NR + j, lanes);
        float* out = c + r * cs + j;
        store(out, add ? load(out, lanes) + sum : sum, lanes);
      });
    }
  }
};

INLINE RowTiles rowTiles(const LeftTile& left, long rows) { return {left, rows}; }

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
