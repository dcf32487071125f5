#include <cstring>

#include "kernels.h"

#if defined(TOKENFUSE_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
#if defined(TOKENFUSE_AMX)
namespace amxBf16 {
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

#if defined(TOKENFUSE_AMX)
/** What is missing for AMX with bf16; Linux hands out its large registers only to a process that asks for them. */
const char* whyNoAmx() {
  static const char* const reason = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kAmxBf16) == 0 || (d & kAmxTile) == 0) {
      return "the processor lacks AMX";
    }
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0 ? nullptr : "the system does not allow AMX";
  }();
  return reason;
}
#endif

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

const char* whyNoBf16(Bf16By by) {
  const Level level = levelOf(nullptr);
  switch (by) {
    case Bf16By::emulation: return level == Level::baseline ? "the processor lacks AVX2" : nullptr;
    case Bf16By::avx512:
#if defined(TOKENFUSE_AVX512BF16)
      if (level == Level::avx512 && __builtin_cpu_supports("avx512bf16")) return nullptr;
#elif defined(__x86_64__)
      return "the native engine's compiler did not know AVX512-BF16 (g++ from 10, clang++ from 9)";
#endif
      return "the processor lacks AVX512-BF16";
    case Bf16By::amx: break;
  }
#if defined(TOKENFUSE_AMX)
  if (const char* reason = whyNoBf16(Bf16By::avx512)) return reason;
  return whyNoAmx();
#else
  return "the native engine is not compiled for AMX (Linux on x86-64, g++ from 11 or clang++ from 12)";
#endif
}

const Bf16Products* chooseBf16Products(const char* limit, Bf16By by) {
#if defined(__x86_64__)
  const Level level = levelOf(limit);
  if (by == Bf16By::emulation) {
    if (level == Level::avx512) return &avx512bf16Emulated::bf16Products;
    if (level == Level::avx2) return &avx2bf16Emulated::bf16Products;
    return nullptr;
  }
  if (level != Level::avx512 || whyNoBf16(by) != nullptr) return nullptr;
#if defined(TOKENFUSE_AMX)
  if (by == Bf16By::amx) return &amxBf16::bf16Products;
#endif
#if defined(TOKENFUSE_AVX512BF16)
  if (by == Bf16By::avx512) return &avx512bf16::bf16Products;
#endif
#else
  (void)limit;
  (void)by;
#endif
  return nullptr;
}

}  // namespace tokenfuse
