/**
 * Pattention Y = Θ(X Kᵀ) V, a block of tokens at a time: the weights S = Θ(A) of a block live in scratch memory and are
 * never stored whole. A block goes through both products before the next.
 */
#pragma once
#include "../kernels.h"
#include "parameterWeights.h"
#include "product.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Tokens of a block; fewer where that leaves threads without work. */
INLINE long blockTokens(long tokens) {
  for (long tiles = 6; tiles > 1; tiles--) {
    if (tokens >= tiles * MR * 3 * threadCount()) return tiles * MR;
  }
  return MR;
}

/** C[rows, n] = or += rows of X by a packed matrix. */
INLINE void blockProduct(const float* x, const Packing& right, float* c, long rows, bool add, float* scratch) {
  multiply({x, right.k, false}, right.packed, right.n, right.k, c, right.n, rows, add, scratch);
}

/** A few tokens (decoding): each product is shared by columns, since there are no blocks of rows to share. */
static void pattentionThin(const Pattention& f) {
  reserveScratch(0, static_cast<size_t>(f.tokens * f.n));
  float* weights = sharedScratch();
  const auto shared = [&](const float* x, const float* b, long ldb, bool transposed, long k, float* c, long n,
                          bool add) {
    const long columns = max<long>(NR, roundUp((1L << 16) / max(k, 1L), NR));
    parallel((n + columns - 1) / columns, [&](long task, int) {
      const long j = task * columns;
      multiplyThin(x, k, b, ldb, transposed, k, c, n, f.tokens, add, j, min(j + columns, n));
    });
  };
  shared(f.x, f.keys, f.dIn, true, f.dIn, f.scores, f.n, false);
  weightsRows(f.scores, weights, f.tokens, f);
  shared(weights, f.values, f.dOut, false, f.n, f.output, f.dOut, f.add);
}

static void pattention(const Pattention& f) {
  if (f.tokens == 0) return;
  if (f.tokens <= kThinRows) return pattentionThin(f);
  const long block = blockTokens(f.tokens);
  const long keySize = packedSize(f.dIn, f.n);
  reserveScratch(static_cast<size_t>(kLeftScratch + block * f.n),
                 static_cast<size_t>(keySize + packedSize(f.n, f.dOut)));
  const Packing right[] = {{f.keys, f.dIn, true, f.dIn, f.n, sharedScratch()},
                           {f.values, f.dOut, false, f.n, f.dOut, sharedScratch() + keySize}};
  packAll(right, 2);
  parallel((f.tokens + block - 1) / block, [&](long task, int thread) {
    const long i = task * block;
    const long rows = min(block, f.tokens - i);
    float* scratch = threadScratch(thread);
    float* weights = scratch + kLeftScratch;  // [rows, n]
    float* scores = f.scores + i * f.n;
    blockProduct(f.x + i * f.dIn, right[0], scores, rows, false, scratch);
    weightsRows(scores, weights, rows, f);
    blockProduct(weights, right[1], f.output + i * f.dOut, rows, f.add, scratch);
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
