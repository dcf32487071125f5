/** The left factor of a product, and how deep a block of it is. */
#pragma once
#include "simd.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Depth of a block, at most; its tile of A stays in the first-level cache. */
constexpr long KC = 384;

/** A factor on the left: row-major [m, k] with row stride `stride`, or, transposed, stored [k, m]. */
struct Left {
  const float* at;
  long stride;
  bool transposed;
};

/** A block of its rows as a tile reads it: step p of row i at [i · stride + p] if row-major, else at [p · stride + i]. */
struct LeftTile {
  const float* at;
  long stride;
  bool rowMajor;
};

/** Floats from one step of a rearranged block of rows to the next: a whole vector, where a tile is not taller than one. */
constexpr long kLeftStride = MR <= W ? W : MR;

/** Tiles that are rearranged together, so that a row of a transposed factor is read in longer runs. */
constexpr long kLeftTiles = 4;

/** Floats that such tiles need. */
constexpr long kLeftTile = kLeftStride * KC;
constexpr long kLeftScratch = kLeftTiles * kLeftTile;

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
