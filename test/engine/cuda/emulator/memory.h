/**
 * Device memory: each allocation ends where pages begin that nothing may touch, is NaN until written, and stays untouchable for a
 * while after it was freed. Addresses are those of the host.
 */
#pragma once

#include <cstddef>
#include <string>

namespace emulated {

/** Null where there is no room: TOKENFUSE_EMULATED_MEMORY. */
void* allocateMemory(std::size_t bytes);
/** False for what is no allocation. */
bool freeMemory(void* address);

/** Whether these bytes lie in one allocation. */
bool isDeviceMemory(const void* address, std::size_t bytes);

/** Tells of bytes written just before or behind an allocation; empty where there are none. */
std::string findOverrun();

/** As ", 8 bytes behind an allocation of 64 bytes"; empty far from any. */
std::string describeNear(const void* address);

std::size_t totalMemory();
std::size_t usedMemory();
std::size_t peakMemory();
void resetPeakMemory();

}  // namespace emulated
