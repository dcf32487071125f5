/**
 * Changes from one stack to another: saves the registers that a called function must keep, and the stack pointer in `*from`; then
 * takes those of `to`. (swapcontext asks the system for the signal mask each time.)
 */
#pragma once

#include <cstdint>

extern "C" void emulatedSwitch(void** from, void* to);

namespace emulated {

/** A stack on which `entry`, which never returns, starts at the first switch to it. */
inline void* newContext(void* stackEnd, void (*entry)()) {
  auto* top = reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::uintptr_t>(stackEnd) & ~std::uintptr_t(15));
#if defined(__x86_64__)
  *--top = 0;
  *--top = reinterpret_cast<std::uint64_t>(entry);
  for (int i = 0; i < 6; i++) *--top = 0;
#elif defined(__aarch64__)
  for (int i = 0; i < 20; i++) *--top = 0;
  // Of the 20 words: x29 and x30 are the last two before d8 to d15.
  top[11] = reinterpret_cast<std::uint64_t>(entry);
#else
#error "fibers are written for x86-64 and aarch64"
#endif
  return top;
}

}  // namespace emulated
