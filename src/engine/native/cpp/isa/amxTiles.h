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

/** Steps from one rearranged row of A to the next. */
constexpr long kRowSteps = KC / kStepDepth;
static_assert(MR * kRowSteps <= kLeftTile, "a tile's rows fit where they are rearranged");

/** Rows [i, i + rows) of a row-major A at depths [p0, p0 + kc), rounded, with zeros up to a whole number of tiles along. */
INLINE LeftTile leftTile(Left a, long i, long rows, long p0, long kc, long, float* scratch) {
  for (long r = 0; r < rows; r++) {
    const float* from = a.at + (i + r) * a.stride + p0;
    float* to = scratch + r * kRowSteps;
    for (long p = 0; p < kc; p += W * kStepDepth) store(to + p / kStepDepth, stepsAlong(from + p, kc - p));
  }
  return {scratch, kRowSteps, true};
}

/** Rows [i, i + m) of a transposed A in the same way, in tiles of `tall` rows, kLeftTile apart; returns the stride of a row. */
static long packLeft(Left a, long i, long m, long tall, long p0, long kc, float* scratch) {
  for (long p = 0; p < kc; p += W * kStepDepth) {
    float* tile = scratch + p / kStepDepth;
    for (long top = 0; top < m; top += tall, tile += kLeftTile) {
      const long rows = min(tall, m - top);
      for (long half = 0; half < rows; half += W) {
        const long lanes = min<long>(W, rows - half);
        V square[2][W];
        for (long step = 0; step < W; step++) {
          const long depth = p + step * kStepDepth;
          const float* from = a.at + (p0 + depth) * a.stride + i + top + half;
          square[0][step] = depth >= kc  ? V{}
                            : lanes == W ? stepAcross(from, a.stride, kc - depth, Whole{})
                                         : stepAcross(from, a.stride, kc - depth, Part{lanes});
        }
        const int turned = turnSquare(square);
        float* to = tile + half * kRowSteps;
        for (long r = 0; r < lanes; r++) store(to + r * kRowSteps, square[turned][r]);
      }
    }
  }
  return kRowSteps;
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

/** c[rows, columns] = or += rows of A, MR at most, by a panel [steps, NR]. */
static void tileBlock(const LeftTile& left, long rows, long steps, const float* panel, float* c, long ldc, long columns,
                      bool add) {
  const bool down = rows > kTileRows;
  const bool across = columns > W;
  // Whole tiles go where they belong; the others, and what is added, by way of a block beside it.
  const bool whole = !add && (rows == kTileRows || rows == MR) && (columns == W || columns == NR);
  alignas(64) float block[MR * NR];
  float* to = whole ? c : block;
  const long stride = whole ? ldc : NR;
  if (down && across) sumTiles<true, true>(steps, left, panel, to, stride);
  else if (down) sumTiles<true, false>(steps, left, panel, to, stride);
  else if (across) sumTiles<false, true>(steps, left, panel, to, stride);
  else sumTiles<false, false>(steps, left, panel, to, stride);
  if (whole) return;
  for (long r = 0; r < rows; r++) {
    eachVector(columns, [&](long j, auto lanes) {
      const V sum = load(block + r * NR + j, lanes);
      float* out = c + r * ldc + j;
      store(out, add ? load(out, lanes) + sum : sum, lanes);
    });
  }
}

/** The tiles of columns [j0, j1) of a block of rows: C = or += A B, `steps` deep. */
static void tileRow(const LeftTile& left, long rows, long steps, const float* b, long n, long j0, long j1, float* c,
                    long ldc, bool add) {
  for (long j = j0; j < j1; j += NR) {
    tileBlock(left, rows, steps, b + j * steps, c + j, ldc, min<long>(NR, n - j), add);
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
