/** The Node-API module: kernels by name, the thread count, and what runs them; what the CUDA engine calls beside them. */
#include <cstdint>
#include <exception>
#include <string>

#include "bindings.h"
#include "threadPool.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(TOKENFUSE_CUDA)
#include "../../cuda/cpp/bindings.h"
#endif

namespace tokenfuse {
namespace {

/** Scratch memory kept between kernels, per thread and in common. */
constexpr size_t kKeptScratch = size_t{256} << 20;

/** The kernels at work: the fastest ones within `limit`, or those with products in bf16 among them. */
struct Choice {
  std::string limit;
  const Kernels* fastest = &chooseKernels(nullptr);
  Kernels withBf16 = *fastest;
  const Kernels* kernels = fastest;
};

Choice& chosen() {
  static Choice choice;
  return choice;
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
    const Binding& binding = *static_cast<const Binding*>(data);
    Arguments in(env, info);
    if (binding.takesLists) in.readLists();
    const KernelLock lock;
    binding.call(in, *chosen().kernels);
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

napi_value text(napi_env env, const char* value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

/** Takes the fastest kernels for this processor, or slower ones by name ('avx2', 'sse2'); returns what was taken. */
napi_value choose(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments in(env, info);
    const std::string limit = in.text();
    const KernelLock lock;
    Choice& choice = chosen();
    choice.limit = limit;
    choice.fastest = choice.kernels = &chooseKernels(limit.c_str());
    return text(env, choice.fastest->name);
  });
}

/** What multiplies bf16, by its name. */
Bf16By bf16By(const std::string& name) {
  if (name == "AMX") return Bf16By::amx;
  if (name == "AVX512-BF16") return Bf16By::avx512;
  if (name == "emulation") return Bf16By::emulation;
  throw std::invalid_argument("bf16 by: expected AMX, AVX512-BF16 or emulation, got '" + name + "'");
}

/** Takes products of the highest precision, or in bf16 by what is named ('AMX' …), from the next kernel on. */
napi_value setMatmulPrecision(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments in(env, info);
    const std::string precision = in.text();
    in.end();
    if (precision == "highest") {
      const KernelLock lock;
      chosen().kernels = chosen().fastest;
      return text(env, precision.c_str());
    }
    const Bf16By by = bf16By(precision);
    const KernelLock lock;
    Choice& choice = chosen();
    const Bf16Products* products = chooseBf16Products(choice.limit.c_str(), by);
    if (products == nullptr) {
      throw std::invalid_argument("bf16 by " + precision + ": these kernels (" + choice.fastest->name +
                                  ") have no such products");
    }
    choice.withBf16 = *choice.fastest;
    choice.withBf16.matMul = products->matMul;
    choice.withBf16.pattention = products->pattention;
    choice.withBf16.pattentionGradient = products->pattentionGradient;
    choice.withBf16.linearCrossEntropy = products->linearCrossEntropy;
    choice.kernels = &choice.withBf16;
    return text(env, precision.c_str());
  });
}

/** What is missing on this processor for products in bf16 by what is named; '' where nothing is. */
napi_value missingForBf16(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments in(env, info);
    const char* reason = whyNoBf16(bf16By(in.text()));
    in.end();
    return text(env, reason == nullptr ? "" : reason);
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
  for (const Binding* bindings : {modelBindings, decodeBindings, arrayBindings, optimizerBindings}) {
    for (const Binding* each = bindings; each->name != nullptr; each++) {
      define(env, exports, each->name, callKernel, const_cast<Binding*>(each));
    }
  }
  define(env, exports, "setThreads", setThreads, nullptr);
  define(env, exports, "threads", countThreads, nullptr);
  define(env, exports, "physicalCores", countCores, nullptr);
  define(env, exports, "scratchBytes", countScratch, nullptr);
  define(env, exports, "choose", choose, nullptr);
  define(env, exports, "setMatmulPrecision", setMatmulPrecision, nullptr);
  define(env, exports, "whyNoBf16", missingForBf16, nullptr);
  define(env, exports, "alignment", alignment, nullptr);
#if defined(TOKENFUSE_CUDA)
  napi_set_named_property(env, exports, "cuda", cuda::createExports(env));
#endif
  return exports;
}

}  // namespace
}  // namespace tokenfuse

NAPI_MODULE(tokenfuse, tokenfuse::start)
