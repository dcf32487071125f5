/** Finding the largest numbers of a row, and sums over them alone. */
#pragma once
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

INLINE uint32_t bitsOf(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits;
}

/** Larger for a larger |x|, and largest for NaN. */
INLINE uint32_t magnitude(float x) { return bitsOf(x) & 0x7fffffffu; }

/** Larger for a larger x. */
INLINE uint32_t rank(float x) {
  const uint32_t bits = bitsOf(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/** The k-th largest of n numbers, 1 ≤ k ≤ n, which are used up: digit by digit, each found by counting. */
static uint32_t kthLargest(uint32_t* left, long n, long k) {
  constexpr int kBits = 11;
  constexpr uint32_t kDigits = 1u << kBits;
  uint32_t found = 0;
  for (int shift = 2 * kBits; shift >= 0; shift -= kBits) {
    uint32_t counts[kDigits] = {};
    for (long i = 0; i < n; i++) counts[left[i] >> shift & (kDigits - 1)]++;
    uint32_t digit = kDigits - 1;
    for (; static_cast<long>(counts[digit]) < k; digit--) k -= static_cast<long>(counts[digit]);
    found |= digit << shift;
    long kept = 0;
    for (long i = 0; i < n; i++) {
      const uint32_t number = left[i];
      left[kept] = number;
      kept += (number >> shift & (kDigits - 1)) == digit;
    }
    n = kept;
  }
  return found;
}

/** Lists, in order, the numbers of at least the k-th largest magnitude, zeros left out; room for n. Returns how many. */
static long listStrongest(const float* x, long n, long k, int32_t* list) {
  uint32_t* const left = reinterpret_cast<uint32_t*>(list);
  for (long i = 0; i < n; i++) left[i] = magnitude(x[i]);
  const uint32_t least = max<uint32_t>(kthLargest(left, n, k), 1);
  long count = 0;
  for (long i = 0; i < n; i++) {
    list[count] = static_cast<int32_t>(i);
    count += magnitude(x[i]) >= least;
  }
  return count;
}

/** Lists, in order, the numbers of at least the k-th largest; room for n. Returns how many. */
static long listLargest(const float* x, long n, long k, int32_t* list) {
  uint32_t* const left = reinterpret_cast<uint32_t*>(list);
  for (long i = 0; i < n; i++) left[i] = rank(x[i]);
  const uint32_t least = kthLargest(left, n, k);
  long count = 0;
  for (long i = 0; i < n; i++) {
    list[count] = static_cast<int32_t>(i);
    count += rank(x[i]) >= least;
  }
  return count;
}

/** The place of the first of `count` ascending numbers that is at least `limit`. */
INLINE long firstFrom(const int32_t* list, long count, long limit) {
  long from = 0;
  while (count > 0) {
    const long half = count / 2;
    if (list[from + half] < limit) {
      from += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return from;
}

/** to += Σ weights[j] values[j] over P listed j, of `width` columns; the rows listed `ahead` of them are fetched meanwhile. */
template <int P>
INLINE void addRows(const float* weights, const int32_t* list, long ahead, const float* values, long stride, float* to,
                    long width) {
  V factor[P];
  const float* row[P];
  const float* next[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; p++) {
    factor[p] = splat(weights[list[p]]);
    row[p] = values + list[p] * stride;
    next[p] = values + list[p + ahead] * stride;
  }
  eachVector(width, [&](long j, auto lanes) {
    V sum = load(to + j, lanes);
#pragma GCC unroll 8
    for (int p = 0; p < P; p++) {
      __builtin_prefetch(next[p] + j);
      sum += factor[p] * load(row[p] + j, lanes);
    }
    store(to + j, sum, lanes);
  });
}

/** to += Σ weights[j] values[j] over the listed j, in their order. */
static void addListed(const float* weights, const int32_t* list, long count, const float* values, long stride, float* to,
                      long width) {
  constexpr int P = 8;
  long i = 0;
  for (; i + P <= count; i += P) addRows<P>(weights, list + i, i + 2 * P <= count ? P : 0, values, stride, to, width);
  for (; i < count; i++) addRows<1>(weights, list + i, 0, values, stride, to, width);
}

INLINE void clear(float* to, long count) { __builtin_memset(to, 0, static_cast<size_t>(count) * sizeof(float)); }

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
