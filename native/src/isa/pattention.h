/**
 * Pattention Y = Θ(X Kᵀ) V and its gradient, a block of tokens at a time: the weights S = Θ(A) of a block live in
 * scratch memory and are never stored whole.
 *
 * A block goes through both products before the next; the gradients of the parameters, sums over all tokens, are added
 * up chunk by chunk in order, and the chunk is the same for every thread count.
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

/** Tokens of a chunk of the backward pass: about 2 MiB of scores, rounded to whole blocks of depth. */
INLINE long chunkTokens(long n) { return most<long>(64, least<long>(2 * KC, (1L << 19) / most(n, 1L) / 16 * 16)); }

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
    const long columns = most<long>(NR, roundUp((1L << 16) / most(k, 1L), NR));
    parallel((n + columns - 1) / columns, [&](long task, int) {
      const long j = task * columns;
      multiplyThin(x, k, b, ldb, transposed, k, c, n, f.tokens, add, j, least(j + columns, n));
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
    const long rows = least(block, f.tokens - i);
    float* scratch = threadScratch(thread);
    float* weights = scratch + kLeftScratch;  // [rows, n]
    float* scores = f.scores + i * f.n;
    blockProduct(f.x + i * f.dIn, right[0], scores, rows, false, scratch);
    weightsRows(scores, weights, rows, f);
    blockProduct(weights, right[1], f.output + i * f.dOut, rows, f.add, scratch);
  });
}

/** dV = Sᵀ dY, dS = dY Vᵀ, dA from dS by Θ's gradient, dK = dAᵀ X, dX = dA K. */
static void pattentionGradient(const Pattention& f) {
  const bool params = f.dKeys != nullptr;
  if (params && f.tokens == 0) {
    __builtin_memset(f.dKeys, 0, static_cast<size_t>(f.n * f.dIn) * sizeof(float));
    __builtin_memset(f.dValues, 0, static_cast<size_t>(f.n * f.dOut) * sizeof(float));
  }
  const long chunk = least(chunkTokens(f.n), f.tokens);
  const long block = least(blockTokens(f.tokens), most(chunk, 1L));
  const long sizes[] = {packedSize(f.dOut, f.n), packedSize(f.n, f.dIn), params ? packedSize(chunk, f.dIn) : 0,
                        params ? packedSize(chunk, f.dOut) : 0};
  reserveScratch(kLeftScratch, static_cast<size_t>(sizes[0] + sizes[1] + sizes[2] + sizes[3] + 2 * chunk * f.n));
  float* at[4];
  float* free = sharedScratch();
  for (int i = 0; i < 4; i++) {
    at[i] = free;
    free += sizes[i];
  }
  float* weights = free;                  // S of the chunk
  float* dScores = weights + chunk * f.n;  // dS, then dA, of the chunk
  const Packing right[] = {{f.values, f.dOut, true, f.dOut, f.n, at[0]}, {f.keys, f.dIn, false, f.n, f.dIn, at[1]}};
  packAll(right, f.dX == nullptr ? 1 : 2);
  for (long start = 0; start < f.tokens; start += chunk) {
    const long tokens = least(chunk, f.tokens - start);
    const Packing rows[] = {{f.x + start * f.dIn, f.dIn, false, tokens, f.dIn, at[2]},
                            {f.dOutput + start * f.dOut, f.dOut, false, tokens, f.dOut, at[3]}};
    const long blocks = (tokens + block - 1) / block;
    const long panels = params ? rows[0].panels() + rows[1].panels() : 0;
    parallel(blocks + panels, [&](long task, int thread) {
      if (task >= blocks) {
        const long panel = task - blocks;
        return panel < rows[0].panels() ? rows[0].run(panel) : rows[1].run(panel - rows[0].panels());
      }
      float* scratch = threadScratch(thread);
      const long i = task * block;
      const long count = least(block, tokens - i);
      float* d = dScores + i * f.n;
      blockProduct(f.dOutput + (start + i) * f.dOut, right[0], d, count, false, scratch);
      weightsGradientRows(f.scores + (start + i) * f.n, weights + i * f.n, d, count, f);
      if (f.dX != nullptr) blockProduct(d, right[1], f.dX + (start + i) * f.dIn, count, f.add, scratch);
    });
    if (!params) continue;
    const long tall = MR * most<long>(1, least<long>(4, f.n / (MR * 3 * threadCount())));
    const long tasks = (f.n + tall - 1) / tall;
    parallel(2 * tasks, [&](long task, int thread) {
      const bool keys = task < tasks;
      const long i = (keys ? task : task - tasks) * tall;
      const long width = keys ? f.dIn : f.dOut;
      float* gradient = (keys ? f.dKeys : f.dValues) + i * width;
      const Left left{(keys ? dScores : weights) + i, f.n, true};
      multiply(left, at[keys ? 2 : 3], width, tokens, gradient, width, least(tall, f.n - i), start > 0,
               threadScratch(thread));
    });
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
