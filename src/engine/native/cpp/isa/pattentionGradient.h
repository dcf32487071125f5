/**
 * The gradient of Pattention, a chunk of tokens at a time; the gradients of the parameters, sums over all tokens, are added
 * up chunk by chunk in order, and a chunk is the same for every thread count.
 *
 * A token whose dY is all zeros, as that of padding is, adds nothing to any gradient: where many are, the others are moved
 * together first.
 */
#pragma once
#include "pattention.h"
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Tokens of a chunk of the backward pass: about 2 MiB of scores, rounded to whole blocks of depth. */
INLINE long chunkTokens(long n) { return max<long>(64, min<long>(2 * KC, (1L << 19) / max(n, 1L) / 16 * 16)); }

INLINE bool allZero(const float* x, long n) {
  for (long i = 0; i < n; i++) {
    if (x[i] != 0) return false;
  }
  return true;
}

INLINE void copyRow(const float* from, float* to, long n) {
  __builtin_memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
}

/**
 * Lists the tokens with a gradient, in order, and returns how many they are; or −1 where so few have none that moving the
 * others would not pay. Rows of dX without a gradient are set to 0.
 */
static long tokensWithGradient(const Pattention& f, int32_t* list) {
  eachRow(f.tokens, f.dOut, [&](long t) {
    list[t] = allZero(f.dOutput + t * f.dOut, f.dOut) ? 0 : 1;
    if (list[t] == 0 && f.dX != nullptr && !f.add) {
      __builtin_memset(f.dX + t * f.dIn, 0, static_cast<size_t>(f.dIn) * sizeof(float));
    }
  });
  long count = 0;
  for (long t = 0; t < f.tokens; t++) {
    if (list[t] != 0) list[count++] = static_cast<int32_t>(t);  // never past t
  }
  return count > f.tokens - f.tokens / 8 ? -1 : count;
}

/** dV = Sᵀ dY, dS = dY Vᵀ, dA from dS by Θ's gradient, dK = dAᵀ X, dX = dA K. */
static void pattentionGradient(const Pattention& f) {
  const bool params = f.dKeys != nullptr;
  const long chunk = min(chunkTokens(f.n), f.tokens);
  const long block = min(blockTokens(f.tokens), max(chunk, 1L));
  const long sizes[] = {packedSize(f.dOut, f.n), packedSize(f.n, f.dIn), params ? packedSize(chunk, f.dIn) : 0,
                        params ? packedSize(chunk, f.dOut) : 0, chunk * f.n, chunk * f.n, chunk * f.n, chunk * f.dIn,
                        chunk * f.dOut, f.tokens};
  constexpr int parts = sizeof(sizes) / sizeof(sizes[0]);
  size_t floats = 0;
  for (const long size : sizes) floats += static_cast<size_t>(size);
  reserveScratch(static_cast<size_t>(kLeftScratch + block * f.dIn), floats);
  float* at[parts];
  float* free = sharedScratch();
  for (int i = 0; i < parts; i++) {
    at[i] = free;
    free += sizes[i];
  }
  float* weights = at[4];  // S of the chunk
  float* dScores = at[5];  // dS, then dA, of the chunk
  int32_t* list = reinterpret_cast<int32_t*>(at[9]);
  const long listed = tokensWithGradient(f, list);
  const bool all = listed < 0;
  const long total = all ? f.tokens : listed;
  if (total == 0 && params) {
    __builtin_memset(f.dKeys, 0, static_cast<size_t>(f.n * f.dIn) * sizeof(float));
    __builtin_memset(f.dValues, 0, static_cast<size_t>(f.n * f.dOut) * sizeof(float));
  }
  if (total == 0) return;
  const Packing right[] = {{f.values, f.dOut, true, f.dOut, f.n, at[0]}, {f.keys, f.dIn, false, f.n, f.dIn, at[1]}};
  packAll(right, f.dX == nullptr ? 1 : 2);
  for (long start = 0; start < total; start += chunk) {
    const long tokens = min(chunk, total - start);
    const float* scores = all ? f.scores + start * f.n : at[6];
    const float* x = all ? f.x + start * f.dIn : at[7];
    const float* dOutput = all ? f.dOutput + start * f.dOut : at[8];
    if (!all) {
      eachRow(tokens, f.dIn + f.dOut + f.n, [&](long i) {
        const long t = list[start + i];
        copyRow(f.scores + t * f.n, at[6] + i * f.n, f.n);
        copyRow(f.x + t * f.dIn, at[7] + i * f.dIn, f.dIn);
        copyRow(f.dOutput + t * f.dOut, at[8] + i * f.dOut, f.dOut);
      });
    }
    const Packing rows[] = {{x, f.dIn, false, tokens, f.dIn, at[2]}, {dOutput, f.dOut, false, tokens, f.dOut, at[3]}};
    const long blocks = (tokens + block - 1) / block;
    const long panels = params ? rows[0].panels() + rows[1].panels() : 0;
    parallel(blocks + panels, [&](long task, int thread) {
      if (task >= blocks) {
        const long panel = task - blocks;
        return panel < rows[0].panels() ? rows[0].run(panel) : rows[1].run(panel - rows[0].panels());
      }
      float* scratch = threadScratch(thread);
      const long i = task * block;
      const long count = min(block, tokens - i);
      float* d = dScores + i * f.n;
      blockProduct(dOutput + i * f.dOut, right[0], d, count, false, scratch);
      weightsGradientRows(scores + i * f.n, weights + i * f.n, d, count, f);
      if (f.dX == nullptr) return;
      if (all) return blockProduct(d, right[1], f.dX + (start + i) * f.dIn, count, f.add, scratch);
      float* moved = scratch + kLeftScratch;  // [count, dIn]
      blockProduct(d, right[1], moved, count, false, scratch);
      for (long r = 0; r < count; r++) {
        float* to = f.dX + list[start + i + r] * f.dIn;
        const float* from = moved + r * f.dIn;
        eachVector(f.dIn, [&](long j, auto lanes) {
          const V sum = load(from + j, lanes);
          store(to + j, f.add ? load(to + j, lanes) + sum : sum, lanes);
        });
      }
    });
    if (!params) continue;
    const long tall = MR * max<long>(1, min<long>(4, f.n / (MR * 3 * threadCount())));
    const long tasks = (f.n + tall - 1) / tall;
    parallel(2 * tasks, [&](long task, int thread) {
      const bool keys = task < tasks;
      const long i = (keys ? task : task - tasks) * tall;
      const long width = keys ? f.dIn : f.dOut;
      float* gradient = (keys ? f.dKeys : f.dValues) + i * width;
      const Left left{(keys ? dScores : weights) + i, f.n, true};
      multiply(left, at[keys ? 2 : 3], width, tokens, gradient, width, min(tall, f.n - i), start > 0,
               threadScratch(thread));
    });
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
