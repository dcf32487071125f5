/** Libraries of kernels that nvrtc.cc compiled, loaded as the driver's modules. */
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine.h"

namespace emulated {

/** A kernel and what the driver keeps of it. */
struct Function {
  const Module* module;
  const Kernel* kernel;
  int mostSharedBytes;
};

struct LoadedModule {
  void* library = nullptr;
  std::vector<std::unique_ptr<Function>> functions;
};

/** Null, with a reason, for what is no such library. */
std::unique_ptr<LoadedModule> loadModule(const void* image, std::string& reason);
Function* findFunction(const LoadedModule& module, const char* name);
int countParameters(const Kernel& kernel);

}  // namespace emulated
