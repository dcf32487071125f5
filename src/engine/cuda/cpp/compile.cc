/** CUDA C++ to cubins by NVRTC, and kernels out of cubins. */
#include <algorithm>
#include <cstring>

#include "session.h"

namespace tokenfuse::cuda {
namespace {
/** Of a block's shared memory, from compute capability 9.0 on. */
constexpr int kSystemShared = 1024;
}  // namespace

std::vector<char> Session::compile(const std::string& source, const std::string& name,
                                   const std::vector<std::string>& options) {
  const NvrtcApi& nvrtc = libraries_.nvrtc;
  if (libraries_.nvrtcFile.empty()) throw CudaError("CUDA_LIBRARY", "CUDA: no NVRTC is loaded; call open first");
  Program program = nullptr;
  const Result created = nvrtc.create(&program, source.c_str(), name.c_str(), 0, nullptr, nullptr);
  if (created != 0) throw CudaError("", "CUDA: NVRTC error " + std::to_string(created) + " for " + name);
  std::vector<const char*> texts;
  for (const std::string& option : options) texts.push_back(option.c_str());
  const Result compiled = nvrtc.compile(program, static_cast<int>(texts.size()), texts.data());
  size_t size = 0;
  if (compiled != 0) {
    std::string log;
    if (nvrtc.logSize(program, &size) == 0 && size > 1) {
      log.resize(size);
      nvrtc.log(program, log.data());
      log.resize(std::min(log.find('\0'), log.size()));
    }
    nvrtc.destroy(&program);
    while (!log.empty() && log.back() == '\n') log.pop_back();
    // An unknown option, or an architecture that this NVRTC does not know, leaves a line too.
    if (log.empty()) log = name + ": NVRTC error " + std::to_string(compiled);
    throw CudaError("CUDA_COMPILE", log);
  }
  std::vector<char> cubin;
  Result got = nvrtc.cubinSize(program, &size);
  if (got == 0) {
    cubin.resize(size);
    got = nvrtc.cubin(program, cubin.data());
  }
  nvrtc.destroy(&program);
  if (got != 0 || size == 0) {
    throw CudaError("CUDA_COMPILE", name + ": no cubin (expected --gpu-architecture=sm_… among the options)");
  }
  return cubin;
}

std::vector<int> Session::loadKernels(const void* cubin, size_t bytes, const std::vector<std::string>& names) {
  requireOpen();
  const DriverApi& cu = libraries_.driver;
  const char* const given = static_cast<const char*>(cubin);
  const auto known = std::find_if(modules_.begin(), modules_.end(), [&](const Loaded& each) {
    return each.bytes == bytes && std::memcmp(each.image.data(), given, bytes) == 0;
  });
  Module module = known == modules_.end() ? nullptr : known->module;
  if (module == nullptr) {
    // The driver reads as far as the file's header says: a copy with room for what a damaged one might.
    std::vector<char> image(given, given + bytes);
    image.resize(bytes + 64, '\0');
    check(cu.moduleLoad(&module, image.data()), "cubin of " + std::to_string(bytes) + " bytes");
    modules_.push_back({std::move(image), bytes, module});
  }
  std::vector<Kernel> loaded;
  for (const std::string& name : names) {
    Kernel kernel;
    kernel.name = name;
    check(cu.moduleFunction(&kernel.function, module, name.c_str()), "kernel " + name);
    int fixedShared = 0;
    check(cu.functionGet(&fixedShared, kStaticShared, kernel.function), "kernel " + name);
    check(cu.functionGet(&kernel.maxThreads, kMaxThreads, kernel.function), "kernel " + name);
    // A part of what is counted as static may be the system's own, which is outside the limit: the driver says how much goes.
    const long limit = static_cast<long>(card_.sharedMemory);
    kernel.maxDynamicShared = limit - std::max(0, fixedShared - kSystemShared);
    if (cu.functionSet(kernel.function, kDynamicShared, static_cast<int>(kernel.maxDynamicShared)) != 0) {
      kernel.maxDynamicShared = std::max(0L, limit - fixedShared);
      check(cu.functionSet(kernel.function, kDynamicShared, static_cast<int>(kernel.maxDynamicShared)), "kernel " + name);
    }
    if (cu.parameterInfo != nullptr) {
      size_t offset = 0, size = 0;
      // The first index without an argument is an error, and the end.
      for (size_t i = 0; i < 256 && cu.parameterInfo(kernel.function, i, &offset, &size) == 0; i++) {
        kernel.parameterBytes.push_back(size);
      }
      kernel.knowsParameters = true;
    }
    loaded.push_back(std::move(kernel));
  }
  std::vector<int> ids;
  for (Kernel& kernel : loaded) {
    ids.push_back(static_cast<int>(kernels_.size()));
    kernels_.push_back(std::move(kernel));
  }
  return ids;
}

}  // namespace tokenfuse::cuda
