/**
 * Pattention that sums the values of each token's strongest parameter tokens alone. All scores and the norm over them are
 * those of Pattention; what is saved is the product with the values.
 */
#pragma once
#include "pattention.h"
#include "strongest.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Bytes of values that the rows of a block go through before the next ones, so that they stay in the second-level cache. */
constexpr long kRunBytes = 1L << 19;

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
    clear(to, width);
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
    clear(output, rows * f.dOut);
    for (long from = 0; from < f.n; from += run) {
      for (long r = 0; r < rows; r++) {
        const int32_t* list = lists + r * f.n + done[r];
        const long count = firstFrom(list, counts[r] - done[r], from + run);
        addListed(weights + r * f.n, list, count, f.values, f.dOut, output + r * f.dOut, f.dOut);
        done[r] += static_cast<int32_t>(count);
      }
    }
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
