/**
 * Vectors of the widest kind of the instruction set this file is compiled for, in GCC's portable vector notation.
 *
 * Everything of isa/ lies in a namespace of the instruction set and uses no inline function of the standard library: the
 * linker keeps one copy of those, and it must not be the one with instructions that another processor lacks.
 */
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(TOKENFUSE_BF16)
// Beside the kernels of the same instruction set: names of their own.
#if defined(__AMX_BF16__)
#define TOKENFUSE_ISA amxBf16
#elif defined(__AVX512BF16__)
#define TOKENFUSE_ISA avx512bf16
#elif defined(__AVX512F__)
#define TOKENFUSE_ISA avx512bf16Emulated
#else
#define TOKENFUSE_ISA avx2bf16Emulated
#endif
#elif defined(__AVX512F__)
#define TOKENFUSE_ISA avx512
#define TOKENFUSE_ISA_NAME "AVX-512"
#elif defined(__AVX2__)
#define TOKENFUSE_ISA avx2
#define TOKENFUSE_ISA_NAME "AVX2"
#elif defined(__aarch64__)
#define TOKENFUSE_ISA baseline
#define TOKENFUSE_ISA_NAME "NEON"
#else
#define TOKENFUSE_ISA baseline
#define TOKENFUSE_ISA_NAME "SSE2"
#endif

#define INLINE static inline __attribute__((always_inline))

namespace tokenfuse {
namespace TOKENFUSE_ISA {

#if defined(__AMX_BF16__)
constexpr int W = 16;
constexpr int MR = 32;
#elif defined(__AVX512F__)
constexpr int W = 16;
constexpr int MR = 14;
#elif defined(__AVX2__)
constexpr int W = 8;
constexpr int MR = 6;
#elif defined(__aarch64__)
constexpr int W = 4;
constexpr int MR = 8;
#else
constexpr int W = 4;
constexpr int MR = 6;
#endif
/** Vectors, and columns, of a tile of a matrix product. */
constexpr int NV = 2;
constexpr int NR = NV * W;

typedef float V __attribute__((vector_size(4 * W)));
typedef uint32_t VU __attribute__((vector_size(4 * W)));
typedef int32_t VI __attribute__((vector_size(4 * W)));
typedef float Unaligned __attribute__((vector_size(4 * W), aligned(4), may_alias));

/** How many of a vector's lanes count: all, or the first `count`. */
struct Whole {};
struct Part {
  long count;
};

INLINE V splat(float x) { return x - V{}; }
INLINE V load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
INLINE void store(float* p, V x) { *reinterpret_cast<Unaligned*>(p) = x; }
INLINE V load(const float* p, Whole) { return load(p); }
INLINE V load(const float* p, Whole, float) { return load(p); }
INLINE void store(float* p, V x, Whole) { store(p, x); }
INLINE V only(V x, Whole) { return x; }

#if defined(__AVX512F__)
INLINE __mmask16 lanes(Part part) { return static_cast<__mmask16>((1u << part.count) - 1u); }
INLINE V load(const float* p, Part part, float rest = 0) {
  return reinterpret_cast<V>(_mm512_mask_loadu_ps(_mm512_set1_ps(rest), lanes(part), p));
}
INLINE void store(float* p, V x, Part part) { _mm512_mask_storeu_ps(p, lanes(part), reinterpret_cast<__m512>(x)); }
INLINE V only(V x, Part part) { return reinterpret_cast<V>(_mm512_maskz_mov_ps(lanes(part), reinterpret_cast<__m512>(x))); }
INLINE V squareRoot(V x) { return reinterpret_cast<V>(_mm512_sqrt_ps(reinterpret_cast<__m512>(x))); }
/** x / y of a finite y that is not tiny, to within 1 ulp: an approximation of 1/y and a step of Newton's, for a division takes as long as all the rest of a polynomial. */
INLINE V ratio(V x, V y) {
  const V near = reinterpret_cast<V>(_mm512_rcp14_ps(reinterpret_cast<__m512>(y)));
  return x * (near + near * (1.0f - y * near));
}
#else
INLINE V ratio(V x, V y) { return x / y; }
#if defined(__AVX2__)
/** Ones in the lanes that count. */
INLINE __m256i lanes(Part part) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(part.count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE V load(const float* p, Part part, float rest = 0) {
  const __m256i mask = lanes(part);
  return reinterpret_cast<V>(
      _mm256_blendv_ps(_mm256_set1_ps(rest), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask)));
}
#else
INLINE V load(const float* p, Part part, float rest = 0) {
  V x = splat(rest);
  for (long i = 0; i < part.count; i++) x[i] = p[i];
  return x;
}
#endif
INLINE void store(float* p, V x, Part part) {
  for (long i = 0; i < part.count; i++) p[i] = x[i];
}
/** x with zeros in the lanes that do not count. */
INLINE V only(V x, Part part) {
  for (long i = part.count; i < W; i++) x[i] = 0;
  return x;
}
#if defined(__AVX2__)
INLINE V squareRoot(V x) { return reinterpret_cast<V>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x))); }
#elif defined(__x86_64__)
INLINE V squareRoot(V x) { return reinterpret_cast<V>(_mm_sqrt_ps(reinterpret_cast<__m128>(x))); }
#elif defined(__aarch64__)
INLINE V squareRoot(V x) { return reinterpret_cast<V>(vsqrtq_f32(reinterpret_cast<float32x4_t>(x))); }
#endif
#endif

/** Calls f(i, lanes) for every vector of [0, n). */
template <class F>
INLINE void eachVector(long n, F f) {
  long i = 0;
  for (; i + W <= n; i += W) f(i, Whole{});
  if (i < n) f(i, Part{n - i});
}

#if defined(__AVX512F__)
/** The upper half of the lanes under the lower one, by halves of halves: no way through memory. */
template <class F>
INLINE float foldLanes(V x, const F& f) {
  const __m512 v = reinterpret_cast<__m512>(x);
  const __m256 eight = f(_mm512_maskz_extractf32x8_ps(0xff, v, 0), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
  const __m128 four = f(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = f(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(f(two, _mm_movehdup_ps(two)));
}
INLINE float sumLanes(V x) {
  return foldLanes(x, [](auto a, auto b) { return a + b; });
}
INLINE float maxLane(V x) {
  return foldLanes(x, [](auto a, auto b) { return a > b ? a : b; });
}
#else
INLINE float sumLanes(V x) {
  float lane[W];
  __builtin_memcpy(lane, &x, sizeof(lane));
  for (int half = W / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lane[i] += lane[i + half];
  }
  return lane[0];
}

INLINE float maxLane(V x) {
  float lane[W];
  __builtin_memcpy(lane, &x, sizeof(lane));
  for (int half = W / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}
#endif

/** The larger one; x where either is not a number. */
INLINE V larger(V x, V y) { return x < y ? y : x; }
INLINE V smaller(V x, V y) { return x > y ? y : x; }

template <class T>
INLINE T min(T a, T b) { return a < b ? a : b; }
template <class T>
INLINE T max(T a, T b) { return a > b ? a : b; }
INLINE long roundUp(long x, long to) { return (x + to - 1) / to * to; }

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
