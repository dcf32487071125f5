/** What a warp computes where its lanes meet; `operands` of lanes that are not in `present` are null. */
#pragma once

#include "machine.h"

namespace emulated {

constexpr int LANES = 32;

/** False where `isShared` denies an address that must lie in shared memory, or it is not aligned. */
bool meetLanes(Meeting meeting, void* const (&operands)[LANES], Word present, bool (*isShared)(const void*, int bytes));

}  // namespace emulated
