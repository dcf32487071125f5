/** The Node-API module: kernels by name, the thread count, and what runs them. */
#include <cstdint>
#include <exception>
#include <string>

#include "bindings.h"
#include "threadPool.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace tokenfuse {
namespace {

/** Scratch memory kept between kernels, per thread and in common. */
constexpr size_t kKeptScratch = size_t{256} << 20;

const Kernels*& chosen() {
  static const Kernels* kernels = &chooseKernels(nullptr);
  return kernels;
}

template <class F>
napi_value guarded(napi_env env, F&& f) {
  try {
    return f();
  } catch (const std::invalid_argument& error) {
    napi_throw_range_error(env, nullptr, error.what());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

napi_value callKernel(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    void* data = nullptr;
    napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
    Arguments in(env, info);
    const KernelLock lock;
    static_cast<const Binding*>(data)->call(in, *chosen());
    trimScratch(kKeptScratch);
    return nullptr;
  });
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value setThreads(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments in(env, info);
    const long threads = in.size("threads", 1024);
    in.end();
    if (threads == 0) throw std::invalid_argument("threads: expected at least 1, got 0");
    const KernelLock lock;
    setThreadCount(static_cast<int>(threads));
    return number(env, static_cast<double>(threads));
  });
}

napi_value countThreads(napi_env env, napi_callback_info) { return number(env, threadCount()); }
napi_value countCores(napi_env env, napi_callback_info) { return number(env, physicalCores()); }
napi_value countScratch(napi_env env, napi_callback_info) {
  const KernelLock lock;
  return number(env, static_cast<double>(scratchBytes()));
}

/** Takes the fastest kernels for this processor, or slower ones by name ('avx2', 'sse2'); returns what was taken. */
napi_value choose(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments in(env, info);
    const std::string limit = in.text();
    const KernelLock lock;
    chosen() = &chooseKernels(limit.c_str());
    napi_value result = nullptr;
    napi_create_string_utf8(env, chosen()->name, NAPI_AUTO_LENGTH, &result);
    return result;
  });
}

/**
 * Bytes from the start of an ArrayBuffer to the next multiple of 64 in memory. Large buffers are marked for huge pages
 * on the way: fewer faults on first use.
 */
napi_value alignment(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments in(env, info);
    long size = 0;
    const uintptr_t start = reinterpret_cast<uintptr_t>(in.buffer("buffer", &size));
    const long bytes = in.size("bytes", size);
    in.end();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t page = 4096;
    if (bytes >= (4L << 20)) {
      const uintptr_t from = (start + page - 1) / page * page;
      const uintptr_t to = (start + static_cast<uintptr_t>(bytes)) / page * page;
      madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
    }
#else
    (void)bytes;
#endif
    return number(env, static_cast<double>((64 - start % 64) % 64));
  });
}

void define(napi_env env, napi_value exports, const char* name, napi_callback call, void* data) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, data, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

napi_value start(napi_env env, napi_value exports) {
  for (const Binding* bindings : {modelBindings, arrayBindings, optimizerBindings}) {
    for (const Binding* each = bindings; each->name != nullptr; each++) {
      define(env, exports, each->name, callKernel, const_cast<Binding*>(each));
    }
  }
  define(env, exports, "setThreads", setThreads, nullptr);
  define(env, exports, "threads", countThreads, nullptr);
  define(env, exports, "physicalCores", countCores, nullptr);
  define(env, exports, "scratchBytes", countScratch, nullptr);
  define(env, exports, "choose", choose, nullptr);
  define(env, exports, "alignment", alignment, nullptr);
  return exports;
}

}  // namespace
}  // namespace tokenfuse

NAPI_MODULE(tokenfuse, tokenfuse::start)
