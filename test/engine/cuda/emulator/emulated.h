/**
 * Makes CUDA C++ compile as C++: qualifiers, built-in variables, types and functions, and those functions of device.cuh that are
 * inline PTX on a card. It includes no header that would put names of the C library beside those of the kernels.
 * Around the source stand `namespace { … }` and what nvrtc.cc appends.
 */
#pragma once

#ifdef EMULATED_SCAN
// Marks kernels for nvrtc.cc, which looks for them in what the preprocessor makes of the source.
#define __global__ EMULATED_KERNEL
#define __launch_bounds__(...) EMULATED_BOUNDS(__VA_ARGS__)
#else
#define __global__
#define __launch_bounds__(...)

#include <utility>

#include "machine.h"

#define __host__
#define __device__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __restrict__ __restrict
/** `extern __shared__` never gets here: nvrtc.cc takes the second word away. One block runs at a time, so static is shared. */
#define __shared__ static __attribute__((section("tokenfuse_shared")))

namespace emulated {

/** One for all parts of a library of kernels, and no other's. */
inline __attribute__((visibility("hidden"))) Machine* machine;

/** Written to results that a card leaves undefined. */
constexpr unsigned long long UNDEFINED = ~0ull;

template <class To, class From>
inline To bitsAs(From value) {
  static_assert(sizeof(To) == sizeof(From), "bits are taken as a type of the same size");
  To result;
  __builtin_memcpy(&result, &value, sizeof(To));
  return result;
}

}  // namespace emulated

// Kernels' numbers are those of a thread that runs; the compiler may keep them across a meeting, for they do not change there.
#define threadIdx (emulated::machine->thread->threadIdx)
#define blockIdx (emulated::machine->blockIdx)
#define blockDim (emulated::machine->blockDim)
#define gridDim (emulated::machine->gridDim)
static constexpr int warpSize = 32;

// ---- vector types ----

#define EMULATED_VECTOR2(T, name, bytes)            \
  struct __align__(bytes) name##2 { T x, y; };      \
  static inline name##2 make_##name##2(T x, T y) {  \
    name##2 v;                                      \
    v.x = x, v.y = y;                               \
    return v;                                       \
  }
#define EMULATED_VECTOR3(T, name)                       \
  struct name##3 { T x, y, z; };                        \
  static inline name##3 make_##name##3(T x, T y, T z) { \
    name##3 v;                                          \
    v.x = x, v.y = y, v.z = z;                          \
    return v;                                           \
  }
#define EMULATED_VECTOR4(T, name, bytes)                     \
  struct __align__(bytes) name##4 { T x, y, z, w; };         \
  static inline name##4 make_##name##4(T x, T y, T z, T w) { \
    name##4 v;                                               \
    v.x = x, v.y = y, v.z = z, v.w = w;                      \
    return v;                                                \
  }
#define EMULATED_VECTORS(T, name, size)    \
  EMULATED_VECTOR2(T, name, 2 * size)      \
  EMULATED_VECTOR3(T, name)                \
  EMULATED_VECTOR4(T, name, 4 * size)

EMULATED_VECTORS(signed char, char, 1)
EMULATED_VECTORS(unsigned char, uchar, 1)
EMULATED_VECTORS(short, short, 2)
EMULATED_VECTORS(unsigned short, ushort, 2)
EMULATED_VECTORS(int, int, 4)
EMULATED_VECTORS(unsigned int, uint, 4)
EMULATED_VECTORS(float, float, 4)
EMULATED_VECTOR2(long long, longlong, 16)
EMULATED_VECTOR2(unsigned long long, ulonglong, 16)
EMULATED_VECTOR2(double, double, 16)

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z) {}
};

typedef decltype(sizeof(0)) size_t;

// ---- mathematics ----

extern "C" {
float fmaf(float, float, float);
float sqrtf(float);
float expf(float);
float exp2f(float);
float expm1f(float);
float logf(float);
float log2f(float);
float log10f(float);
float log1pf(float);
float powf(float, float);
float sinf(float);
float cosf(float);
float tanf(float);
float asinf(float);
float acosf(float);
float atanf(float);
float atan2f(float, float);
float sinhf(float);
float coshf(float);
float tanhf(float);
float asinhf(float);
float acoshf(float);
float atanhf(float);
float erff(float);
float erfcf(float);
float cbrtf(float);
float hypotf(float, float);
float fabsf(float);
float floorf(float);
float ceilf(float);
float truncf(float);
float roundf(float);
float rintf(float);
float nearbyintf(float);
float fmodf(float, float);
float remainderf(float, float);
float fmaxf(float, float);
float fminf(float, float);
float copysignf(float, float);
float ldexpf(float, int);
double fma(double, double, double);
double sqrt(double);
double exp(double);
double log(double);
double pow(double, double);
double sin(double);
double cos(double);
double tanh(double);
double erf(double);
double fabs(double);
double floor(double);
double ceil(double);
double rint(double);
double fmax(double, double);
double fmin(double, double);
int abs(int) noexcept;
long long llabs(long long) noexcept;
void* memcpy(void*, const void*, size_t) noexcept;
void* memset(void*, int, size_t) noexcept;
}

static inline float rsqrtf(float x) { return (float)(1.0 / __builtin_sqrt((double)x)); }
static inline float exp10f(float x) { return powf(10.0f, x); }
static inline void sincosf(float x, float* sine, float* cosine) { *sine = sinf(x), *cosine = cosf(x); }
static inline float fdividef(float x, float y) { return x / y; }
static inline float __expf(float x) { return expf(x); }
static inline float __exp10f(float x) { return exp10f(x); }
static inline float __logf(float x) { return logf(x); }
static inline float __log2f(float x) { return log2f(x); }
static inline float __powf(float x, float y) { return powf(x, y); }
static inline float __sinf(float x) { return sinf(x); }
static inline float __cosf(float x) { return cosf(x); }
static inline float __tanhf(float x) { return tanhf(x); }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __frsqrt_rn(float x) { return rsqrtf(x); }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
/** Never fused with what follows, as these names promise. */
static __attribute__((noinline)) float __fmul_rn(float x, float y) { return x * y; }
static __attribute__((noinline)) float __fadd_rn(float x, float y) { return x + y; }
static __attribute__((noinline)) float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }

static inline bool isnan(float x) { return __builtin_isnan(x); }
static inline bool isinf(float x) { return __builtin_isinf(x); }
static inline bool isfinite(float x) { return __builtin_isfinite(x); }

#define EMULATED_MIN_MAX(T)                                     \
  static inline T min(T a, T b) { return b < a ? b : a; }       \
  static inline T max(T a, T b) { return a < b ? b : a; }
EMULATED_MIN_MAX(int)
EMULATED_MIN_MAX(unsigned int)
EMULATED_MIN_MAX(long)
EMULATED_MIN_MAX(unsigned long)
EMULATED_MIN_MAX(long long)
EMULATED_MIN_MAX(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
static inline unsigned int min(int a, unsigned int b) { return min((unsigned int)a, b); }
static inline unsigned int min(unsigned int a, int b) { return min(a, (unsigned int)b); }
static inline unsigned int max(int a, unsigned int b) { return max((unsigned int)a, b); }
static inline unsigned int max(unsigned int a, int b) { return max(a, (unsigned int)b); }
static inline long long abs(long long x) { return llabs(x); }
static inline float abs(float x) { return fabsf(x); }
static inline float fabs(float x) { return fabsf(x); }
static inline float sqrt(float x) { return sqrtf(x); }
static inline float exp(float x) { return expf(x); }
static inline float log(float x) { return logf(x); }
static inline float floor(float x) { return floorf(x); }
static inline float ceil(float x) { return ceilf(x); }

// ---- bits ----

static inline unsigned int __float_as_uint(float x) { return emulated::bitsAs<unsigned int>(x); }
static inline int __float_as_int(float x) { return emulated::bitsAs<int>(x); }
static inline float __uint_as_float(unsigned int x) { return emulated::bitsAs<float>(x); }
static inline float __int_as_float(int x) { return emulated::bitsAs<float>(x); }
static inline long long __double_as_longlong(double x) { return emulated::bitsAs<long long>(x); }
static inline double __longlong_as_double(long long x) { return emulated::bitsAs<double>(x); }
static inline int __popc(unsigned int x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned int)x); }
static inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned int __umulhi(unsigned int a, unsigned int b) {
  return (unsigned int)(((unsigned long long)a * b) >> 32);
}
static inline int __mulhi(int a, int b) { return (int)(((long long)a * b) >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static inline unsigned int __brev(unsigned int x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}
static inline unsigned int __funnelshift_l(unsigned int low, unsigned int high, unsigned int shift) {
  shift &= 31;
  return shift == 0 ? high : high << shift | low >> (32 - shift);
}
static inline unsigned int __funnelshift_r(unsigned int low, unsigned int high, unsigned int shift) {
  shift &= 31;
  return shift == 0 ? low : low >> shift | high << (32 - shift);
}
static inline unsigned int __byte_perm(unsigned int low, unsigned int high, unsigned int selector) {
  const unsigned long long bytes = (unsigned long long)high << 32 | low;
  unsigned int result = 0;
  for (int i = 0; i < 4; i++) {
    const unsigned int pick = selector >> (4 * i) & 15;
    unsigned int byte = (unsigned int)(bytes >> (8 * (pick & 7))) & 255;
    if (pick & 8) byte = byte & 128 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
}

// Conversions that saturate, as a card's do; NaN gives 0.
static inline long long emulatedRound(double x, double lowest, double highest) {
  return x != x ? 0 : (long long)(x < lowest ? lowest : x > highest ? highest : x);
}
static inline int __float2int_rn(float x) { return (int)emulatedRound(rintf(x), -2147483648.0, 2147483647.0); }
static inline int __float2int_rz(float x) { return (int)emulatedRound(truncf(x), -2147483648.0, 2147483647.0); }
static inline int __float2int_rd(float x) { return (int)emulatedRound(floorf(x), -2147483648.0, 2147483647.0); }
static inline int __float2int_ru(float x) { return (int)emulatedRound(ceilf(x), -2147483648.0, 2147483647.0); }
static inline unsigned int __float2uint_rn(float x) { return (unsigned int)emulatedRound(rintf(x), 0, 4294967295.0); }
static inline unsigned int __float2uint_rz(float x) { return (unsigned int)emulatedRound(truncf(x), 0, 4294967295.0); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned int x) { return (float)x; }

// ---- memory ----

template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline T __ldcg(const T* p) { return *p; }
template <class T> inline void __stcs(T* p, T x) { *p = x; }
template <class T> inline void __stcg(T* p, T x) { *p = x; }
static inline void __threadfence() {}
static inline void __threadfence_block() {}

// Threads take turns only where they meet, so a plain change is atomic. On integers alone: sums of floats would depend on the order.
#define EMULATED_ATOMIC(name, T, expression)    \
  static inline T name(T* p, T x) {             \
    const T old = *p;                           \
    *p = (expression);                          \
    return old;                                 \
  }
#define EMULATED_ATOMICS(T)                            \
  EMULATED_ATOMIC(atomicAdd, T, old + x)               \
  EMULATED_ATOMIC(atomicSub, T, old - x)               \
  EMULATED_ATOMIC(atomicExch, T, x)                    \
  EMULATED_ATOMIC(atomicMin, T, x < old ? x : old)     \
  EMULATED_ATOMIC(atomicMax, T, old < x ? x : old)     \
  EMULATED_ATOMIC(atomicAnd, T, old & x)               \
  EMULATED_ATOMIC(atomicOr, T, old | x)                \
  EMULATED_ATOMIC(atomicXor, T, old ^ x)               \
  static inline T atomicCAS(T* p, T expected, T x) {   \
    const T old = *p;                                  \
    if (old == expected) *p = x;                       \
    return old;                                        \
  }
EMULATED_ATOMICS(int)
EMULATED_ATOMICS(unsigned int)
EMULATED_ATOMICS(unsigned long long)
static inline unsigned int atomicInc(unsigned int* p, unsigned int limit) {
  const unsigned int old = *p;
  *p = old >= limit ? 0 : old + 1;
  return old;
}

// ---- meetings of a warp or block ----

namespace emulated {

inline void meetWarp(Meeting meeting, Word mask, void* operands) { machine->meetWarp(meeting, mask, operands); }

inline Vote voteBlock(bool predicate) {
  Vote vote = {predicate, 0, 0};
  machine->meetBlock(&vote);
  return vote;
}

inline Vote voteWarp(Word mask, bool predicate) {
  Vote vote = {predicate, 0, 0};
  meetWarp(Meeting::vote, mask, &vote);
  return vote;
}

template <class T>
inline T shuffle(Word mask, T value, int source) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle takes 4 or 8 bytes");
  Shuffle operands = {0, source, 0};
  __builtin_memcpy(&operands.value, &value, sizeof(T));
  meetWarp(Meeting::shuffle, mask, &operands);
  __builtin_memcpy(&value, &operands.result, sizeof(T));
  return value;
}

}  // namespace emulated

static inline void __syncthreads() { emulated::voteBlock(false); }
static inline int __syncthreads_or(int predicate) { return emulated::voteBlock(predicate != 0).count > 0; }
static inline int __syncthreads_count(int predicate) { return emulated::voteBlock(predicate != 0).count; }
static inline int __syncthreads_and(int predicate) { return emulated::voteBlock(predicate == 0).count == 0; }
static inline void __syncwarp(unsigned int mask = 0xffffffffu) {
  emulated::meetWarp(emulated::Meeting::syncWarp, mask, nullptr);
}
static inline unsigned int __ballot_sync(unsigned int mask, int predicate) {
  return emulated::voteWarp(mask, predicate != 0).lanes;
}
static inline int __any_sync(unsigned int mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned int mask, int predicate) { return __ballot_sync(mask, predicate == 0) == 0; }
static inline unsigned int __activemask() { return 0xffffffffu; }

template <class T>
inline T __shfl_sync(unsigned int mask, T value, int source, int width = 32) {
  const int lane = (int)emulated::machine->thread->lane;
  return emulated::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
inline T __shfl_xor_sync(unsigned int mask, T value, int lanes, int width = 32) {
  const int lane = (int)emulated::machine->thread->lane, source = lane ^ lanes;
  return emulated::shuffle(mask, value, source >= ((lane & ~(width - 1)) + width) ? lane : source);
}
template <class T>
inline T __shfl_up_sync(unsigned int mask, T value, unsigned int delta, int width = 32) {
  const int lane = (int)emulated::machine->thread->lane, source = lane - (int)delta;
  return emulated::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source);
}
template <class T>
inline T __shfl_down_sync(unsigned int mask, T value, unsigned int delta, int width = 32) {
  const int lane = (int)emulated::machine->thread->lane, source = lane + (int)delta;
  return emulated::shuffle(mask, value, source >= ((lane & ~(width - 1)) + width) ? lane : source);
}

template <class T>
inline unsigned int __match_any_sync(unsigned int mask, T value) {
  emulated::Match operands = {0, 0};
  __builtin_memcpy(&operands.value, &value, sizeof(T));
  emulated::meetWarp(emulated::Meeting::match, mask, &operands);
  return operands.lanes;
}

#define EMULATED_REDUCE(name, T, expression)                                                     \
  static inline T name(unsigned int mask, T value) {                                             \
    T result = value;                                                                            \
    const unsigned int present = __ballot_sync(mask, 1);                                         \
    bool first = true;                                                                           \
    for (int lane = 0; lane < 32; lane++) {                                                      \
      const T other = emulated::shuffle(mask, value, lane);                                      \
      if (!(present >> lane & 1)) continue;                                                      \
      result = first ? other : (expression);                                                     \
      first = false;                                                                             \
    }                                                                                            \
    return result;                                                                               \
  }
EMULATED_REDUCE(__reduce_add_sync, unsigned int, result + other)
EMULATED_REDUCE(__reduce_add_sync, int, result + other)
EMULATED_REDUCE(__reduce_max_sync, unsigned int, max(result, other))
EMULATED_REDUCE(__reduce_max_sync, int, max(result, other))
EMULATED_REDUCE(__reduce_min_sync, unsigned int, min(result, other))
EMULATED_REDUCE(__reduce_min_sync, int, min(result, other))
EMULATED_REDUCE(__reduce_or_sync, unsigned int, result | other)
EMULATED_REDUCE(__reduce_and_sync, unsigned int, result & other)

// ---- what is inline PTX in device.cuh ----

namespace emulated {

/** To nearest even; NaN becomes the one NaN a card writes. */
inline Word bf16Bits(float x) {
  const Word bits = bitsAs<Word>(x);
  if (x != x) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

}  // namespace emulated

static inline unsigned int packBf16(float low, float high) {
  return emulated::bf16Bits(high) << 16 | emulated::bf16Bits(low);
}

/** To 10 bits of mantissa, halves away from zero. */
static inline unsigned int toTf32(float x) {
  const unsigned int bits = __float_as_uint(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return x != x ? 0x7fffffffu : bits;
  return (bits + 0x1000u) & ~0x1fffu;
}

/** Results below 2^-126 are 0. */
static inline float exp2Approximate(float x) {
  const float power = exp2f(x);
  return power < 1.17549435e-38f ? 0.0f : power;
}

static inline void mmaBf16(float (&d)[4], const unsigned int (&a)[4], unsigned int b0, unsigned int b1) {
  emulated::Mma operands = {d, a, {b0, b1}};
  emulated::meetWarp(emulated::Meeting::mmaBf16, 0xffffffffu, &operands);
}

static inline void mmaTf32(float (&d)[4], const unsigned int (&a)[4], unsigned int b0, unsigned int b1) {
  emulated::Mma operands = {d, a, {b0, b1}};
  emulated::meetWarp(emulated::Meeting::mmaTf32, 0xffffffffu, &operands);
}

static inline void loadMatrices(unsigned int (&r)[4], const void* row) {
  emulated::MatrixLoad operands = {r, row};
  emulated::meetWarp(emulated::Meeting::loadMatrices, 0xffffffffu, &operands);
}

static inline void loadMatricesTransposed(unsigned int (&r)[4], const void* row) {
  emulated::MatrixLoad operands = {r, row};
  emulated::meetWarp(emulated::Meeting::loadMatricesTransposed, 0xffffffffu, &operands);
}

static inline void copyAsync16(void* shared, const void* global, bool valid) {
  emulated::machine->copyLater(shared, global, valid);
}
static inline void commitCopies() { emulated::machine->commitCopies(); }
template <int pending>
inline void waitCopies() {
  emulated::machine->waitCopies(pending);
}

// ---- how the driver runs kernels ----

namespace emulated {

template <auto kernel>
struct Call;

template <class... Arguments, void (*kernel)(Arguments...)>
struct Call<kernel> {
  static constexpr unsigned long long sizes[] = {sizeof(Arguments)..., 0};
  static constexpr unsigned long long alignments[] = {alignof(Arguments)..., 0};
  template <unsigned long... i>
  static void withArguments(void* const* arguments, std::index_sequence<i...>) {
    (void)arguments;
    kernel(*static_cast<Arguments*>(arguments[i])...);
  }
  static void run(void* const* arguments) { withArguments(arguments, std::index_sequence_for<Arguments...>()); }
};

/** Where the compiler's own checks (-fsanitize, without its library) say they found something. */
struct SourceLocation {
  const char* file;
  unsigned int line, column;
};

}  // namespace emulated

#define EMULATED_CHECK extern "C" __attribute__((visibility("hidden"), used, weak)) void
EMULATED_CHECK __ubsan_handle_out_of_bounds_abort(emulated::SourceLocation* at, unsigned long index) {
  emulated::machine->fail("index beyond an array", at->file, (int)at->line, (long long)index);
}
EMULATED_CHECK __ubsan_handle_type_mismatch_v1_abort(emulated::SourceLocation* at, unsigned long address) {
  emulated::machine->fail("misaligned address", at->file, (int)at->line, (long long)address);
}
EMULATED_CHECK __ubsan_handle_divrem_overflow_abort(emulated::SourceLocation* at, unsigned long, unsigned long divisor) {
  emulated::machine->fail("integer division that overflows, or by", at->file, (int)at->line, (long long)divisor);
}

#endif
