/**
 * Pattention that sums the values of each token's strongest parameter tokens alone. All scores and the norm over them are
 * those of Pattention; what is saved is the product with the values.
 */
#pragma once
#include "pattention.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Bytes of values that rows of a block go through before the next ones, so that they stay in the second-level cache. */
constexpr long kRunBytes = 1L << 19;

/** The bits of |x|: larger numbers have larger ones, and NaN the largest. */
INLINE uint32_t magnitude(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits & 0x7fffffffu;
}

/**
 * The k-th largest magnitude of n numbers, 1 ≤ k ≤ n: digit by digit, each found by counting.
 *
 * @param left room for n numbers
 */
static uint32_t kthMagnitude(const float* x, long n, long k, uint32_t* left) {
  for (long i = 0; i < n; i++) left[i] = magnitude(x[i]);
  uint32_t found = 0;
  for (int shift = 20; shift >= 0; shift -= 10) {
    constexpr uint32_t kDigits = 1u << 11;
    uint32_t counts[kDigits] = {};
    const uint32_t last = shift == 20 ? kDigits - 1 : kDigits / 2 - 1;
    for (long i = 0; i < n; i++) counts[left[i] >> shift & last]++;
    uint32_t digit = last;
    for (; static_cast<long>(counts[digit]) < k; digit--) k -= static_cast<long>(counts[digit]);
    found |= digit << shift;
    long kept = 0;
    for (long i = 0; i < n; i++) {
      const uint32_t bits = left[i];
      left[kept] = bits;
      kept += (bits >> shift & last) == digit;
    }
    n = kept;
  }
  return found;
}

/** Lists, in order, the numbers whose magnitude is at least the k-th largest, zeros left out; room for n. Returns how many. */
static long listStrongest(const float* x, long n, long k, int32_t* list) {
  const uint32_t least = max<uint32_t>(kthMagnitude(x, n, k, reinterpret_cast<uint32_t*>(list)), 1);
  long count = 0;
  for (long i = 0; i < n; i++) {
    list[count] = static_cast<int32_t>(i);
    count += magnitude(x[i]) >= least;
  }
  return count;
}

/** to += Σ weights[j] values[j] over P listed j, of `width` columns; what the next ones need is fetched meanwhile. */
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

/** A few tokens (decoding): the scores are shared by parameter tokens, the sums by columns. */
static void sparsePattentionThin(const SparsePattention& f) {
  reserveScratch(0, static_cast<size_t>(2 * f.tokens * f.n + f.tokens));
  float* weights = sharedScratch();  // [tokens, n]
  int32_t* lists = reinterpret_cast<int32_t*>(weights + f.tokens * f.n);
  int32_t* counts = lists + f.tokens * f.n;
  const long run = roundUp(max<long>(1, (1L << 16) / max(f.dIn, 1L)), 4);
  parallel((f.n + run - 1) / run, [&](long task, int) {
    const long from = task * run;
    multiplyThin(f.x, f.dIn, f.keys, f.dIn, true, f.dIn, weights, f.n, f.tokens, false, from, min(from + run, f.n));
  });
  parallel(f.tokens, f.tokens * f.n, [&](long r, int) {
    weightsRows(weights + r * f.n, weights + r * f.n, 1, f);
    counts[r] = static_cast<int32_t>(listStrongest(weights + r * f.n, f.n, f.strongest, lists + r * f.n));
  });
  const long columns = roundUp(max<long>(1, (f.dOut + threadCount() - 1) / threadCount()), NR);
  const long parts = (f.dOut + columns - 1) / columns;
  parallel(f.tokens * parts, f.tokens * f.strongest * f.dOut, [&](long task, int) {
    const long r = task / parts;
    const long from = task % parts * columns;
    const long width = min(columns, f.dOut - from);
    float* to = f.output + r * f.dOut + from;
    if (!f.add) clear(to, width);
    addListed(weights + r * f.n, lists + r * f.n, counts[r], f.values + from, f.dOut, to, width);
  });
}

static void sparsePattention(const SparsePattention& f) {
  if (f.tokens == 0) return;
  if (f.tokens <= kThinRows) return sparsePattentionThin(f);
  const long block = blockTokens(f.tokens);
  const long size = block * f.n;
  reserveScratch(static_cast<size_t>(kLeftScratch + 2 * size + 2 * block),
                 static_cast<size_t>(packedSize(f.dIn, f.n)));
  const Packing keys{f.keys, f.dIn, true, f.dIn, f.n, sharedScratch()};
  packAll(&keys, 1);
  const long run = max<long>(1, kRunBytes / static_cast<long>(sizeof(float)) / max(f.dOut, 1L));
  parallel((f.tokens + block - 1) / block, [&](long task, int thread) {
    const long i = task * block;
    const long rows = min(block, f.tokens - i);
    float* scratch = threadScratch(thread);
    float* weights = scratch + kLeftScratch;  // [rows, n]
    int32_t* lists = reinterpret_cast<int32_t*>(weights + size);
    int32_t* counts = lists + size;
    int32_t* done = counts + block;
    float* output = f.output + i * f.dOut;
    blockProduct(f.x + i * f.dIn, keys, weights, rows, false, scratch);
    weightsRows(weights, weights, rows, f);
    for (long r = 0; r < rows; r++) {
      counts[r] = static_cast<int32_t>(listStrongest(weights + r * f.n, f.n, f.strongest, lists + r * f.n));
      done[r] = 0;
    }
    if (!f.add) clear(output, rows * f.dOut);
    for (long from = 0; from < f.n; from += run) {
      for (long r = 0; r < rows; r++) {
        const int32_t* list = lists + r * f.n;
        long end = done[r];
        while (end < counts[r] && list[end] < from + run) end++;
        addListed(weights + r * f.n, list + done[r], end - done[r], f.values, f.dOut, output + r * f.dOut, f.dOut);
        done[r] = static_cast<int32_t>(end);
      }
    }
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
