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
#endif
namespace baseline {
extern const Kernels kernels;
}

const Kernels& chooseKernels(const char* limit) {
#if defined(__x86_64__)
  const bool down = limit != nullptr && *limit != '\0';
  const bool baselineOnly = down && std::strcmp(limit, "sse2") == 0;
  const bool upToAvx2 = down && std::strcmp(limit, "avx2") == 0;
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (avx512 && !upToAvx2 && !baselineOnly) return avx512::kernels;
  if (avx2 && !baselineOnly) return avx2::kernels;
#else
  (void)limit;
#endif
  return baseline::kernels;
}

}  // namespace tokenfuse
