/** Runs a kernel: blocks one after another, each thread of a block on a stack of its own. */
#pragma once

#include <string>

#include "machine.h"

namespace emulated {

enum class Fault { none, illegalAddress, misaligned, failed };

struct Outcome {
  Fault fault = Fault::none;
  std::string message;
};

struct LaunchSize {
  Index grid, block;
  Word sharedBytes;
};

Outcome runKernel(const Module& module, const Kernel& kernel, const LaunchSize& size, void* const* arguments);

/** Runs what reads and writes device memory outside of kernels; a fault in it is an outcome too. */
Outcome runGuarded(const char* name, void (*work)(void*), void* data);

}  // namespace emulated
