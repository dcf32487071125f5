/**
 * Which keys a row of attention scores sees, by position and padding.
 *
 * A row that sees no key at all ("blind") attends evenly to the keys hidden by the fewest causes, which is what a
 * finite penalty per cause (position, padding) amounts to.
 */
#pragma once
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Score of a key that a row does not attend to; its exponential is 0. */
constexpr float kHidden = -1e9f;

/** Index of the first key that is not padding; keyLen when all are. No mask: none is padding. */
INLINE long firstUnpadded(const float* mask, long keyLen) {
  if (mask == nullptr) return 0;
  long j = 0;
  while (j < keyLen && mask[j] <= 0) j++;
  return j;
}

struct Visibility {
  long queryLen, keyLen, prefixLen, firstSeen;

  /** Number of keys query i sees by its position: all up to its own place, and the prefix. */
  long visible(long i) const {
    return min(keyLen, max(0L, max(keyLen - queryLen + i + 1, prefixLen)));
  }
  bool blind(long i) const { return visible(i) <= firstSeen; }
  /** Whether query i sees the first `visible(i)` keys, none of them hidden by `mask`. */
  bool plain(const float* mask, long i) const { return mask == nullptr && !blind(i); }
  /** Keys that the rows of a block need scores for; blind rows come first and need all. */
  long extent(long i, long rows) const { return blind(i) ? keyLen : visible(i + rows - 1); }
};

INLINE int hidingCauses(const float* mask, long j, long visible) {
  return (j >= visible ? 1 : 0) + (mask != nullptr && mask[j] <= 0 ? 1 : 0);
}

/** Products q·k of row i → scores; returns how many keys they are for. */
INLINE long maskRow(float* row, const float* mask, const Visibility& sight, long i, float scale) {
  const long visible = sight.visible(i);
  if (!sight.blind(i)) {
    rowScale(row, visible, scale);
    if (mask != nullptr) {
      for (long j = 0; j < visible; j++) {
        if (mask[j] <= 0) row[j] = kHidden;
      }
    }
    return visible;
  }
  int fewest = 2;
  for (long j = 0; j < sight.keyLen; j++) fewest = min(fewest, hidingCauses(mask, j, visible));
  for (long j = 0; j < sight.keyLen; j++) row[j] = hidingCauses(mask, j, visible) == fewest ? 0 : kHidden;
  return sight.keyLen;
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
