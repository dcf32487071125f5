#include <cstring>

#include "kernels.h"

namespace tokenfuse {

#if defined(__x86_64__)
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512bf16Emulated {
extern const Bf16Products bf16Products;
}
namespace avx2bf16Emulated {
extern const Bf16Products bf16Products;
}
#if defined(TOKENFUSE_AVX512BF16)
namespace avx512bf16 {
extern const Bf16Products bf16Products;
}
#endif
#endif
namespace baseline {
extern const Kernels kernels;
}

namespace {

enum class Level { baseline, avx2, avx512 };

Level levelOf(const char* limit) {
#if defined(__x86_64__)
  const bool down = limit != nullptr && *limit != '\0';
  const bool baselineOnly = down && std::strcmp(limit, "sse2") == 0;
  const bool upToAvx2 = down && std::strcmp(limit, "avx2") == 0;
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (avx512 && !upToAvx2 && !baselineOnly) return Level::avx512;
  if (avx2 && !baselineOnly) return Level::avx2;
#else
  (void)limit;
#endif
  return Level::baseline;
}

}  // namespace

const Kernels& chooseKernels(const char* limit) {
#if defined(__x86_64__)
  switch (levelOf(limit)) {
    case Level::avx512: return avx512::kernels;
    case Level::avx2: return avx2::kernels;
    case Level::baseline: break;
  }
#else
  (void)limit;
#endif
  return baseline::kernels;
}

const char* whyNoBf16(bool emulated) {
  const Level level = levelOf(nullptr);
  if (emulated) return level == Level::baseline ? "the processor lacks AVX2" : nullptr;
#if defined(TOKENFUSE_AVX512BF16)
  if (level == Level::avx512 && __builtin_cpu_supports("avx512bf16")) return nullptr;
#elif defined(__x86_64__)
  return "the native engine's compiler did not know AVX512-BF16 (g++ from 10, clang++ from 9)";
#endif
  return "the processor lacks AVX512-BF16";
}

const Bf16Products* chooseBf16Products(const char* limit, bool emulated) {
#if defined(__x86_64__)
  const Level level = levelOf(limit);
  if (emulated) {
    if (level == Level::avx512) return &avx512bf16Emulated::bf16Products;
    if (level == Level::avx2) return &avx2bf16Emulated::bf16Products;
    return nullptr;
  }
#if defined(TOKENFUSE_AVX512BF16)
  if (level == Level::avx512 && whyNoBf16(false) == nullptr) return &avx512bf16::bf16Products;
#endif
#else
  (void)limit;
  (void)emulated;
#endif
  return nullptr;
}

}  // namespace tokenfuse
