/**
 * Cross-entropy of logits S Eᵀ, a chunk of rows at a time: the logits of a chunk live in scratch memory, become their own
 * gradient there, and go into both products before the next chunk takes their place.
 *
 * The gradient of E, a sum over all rows, is added up chunk by chunk in order, and chunks are the same for every thread
 * count. Rows of weight 0 are left out.
 */
#pragma once
#include "../kernels.h"
#include "matMul.h"
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Rows of a chunk: about 8 MiB of logits, one block of depth at most. */
INLINE long lossChunk(long classes) { return max<long>(16, min<long>(KC, (1L << 21) / max(classes, 1L))); }

/** Writes a row's loss and, for a gradient, w (softmax(z) − onehot) in place of its logits z. */
INLINE float lossRow(float* z, long classes, long label, float weight, bool gradient) {
  const float largest = rowMax(z, classes);
  const float ofLabel = z[label] - largest;
  if (!gradient) {
    V sum = {};
    eachVector(classes, [&](long j, auto lanes) { sum += only(exponential(load(z + j, lanes) - largest), lanes); });
    return weight * (logarithm(sumLanes(sum)) - ofLabel);
  }
  const float sum = rowExponential(z, z, classes, largest);
  rowScale(z, classes, weight / sum);
  z[label] -= weight;
  return weight * (logarithm(sum) - ofLabel);
}

static void linearCrossEntropy(const LinearCrossEntropy& f) {
  const long d = f.dModel;
  const bool gradient = f.dStates != nullptr || f.dEmbedding != nullptr;
  const long chunk = min(lossChunk(f.classes), f.rows);
  // Rows a power of two apart would share a few sets of the caches when they are read by columns.
  const long stride = roundUp(f.classes, 16) + 16;
  const long sizes[] = {packedSize(d, f.classes), f.dStates != nullptr ? packedSize(f.classes, d) : 0, chunk * d,
                        f.dEmbedding != nullptr ? packedSize(chunk, d) : 0, chunk * stride};
  size_t floats = 0;
  for (const long size : sizes) floats += static_cast<size_t>(roundUp(size, 16));
  const long block = 4 * MR;
  reserveScratch(static_cast<size_t>(kLeftScratch + block * d), floats);
  float* at[5];
  float* free = sharedScratch();
  for (int i = 0; i < 5; i++) {
    at[i] = free;
    free += roundUp(sizes[i], 16);
  }
  float* states = at[2];
  float* logits = at[4];
  const Packing right[] = {{f.embedding, d, true, d, f.classes, at[0]}, {f.embedding, d, false, f.classes, d, at[1]}};
  packAll(right, f.dStates != nullptr ? 2 : 1);

  bool first = true;
  for (long row = 0;;) {
    long chosen[KC];
    long count = 0;
    for (; row < f.rows && count < chunk; row++) {
      if (f.weights[row] != 0) {
        chosen[count++] = row;
        continue;
      }
      f.losses[row] = 0;
      if (f.dStates != nullptr) __builtin_memset(f.dStates + row * d, 0, static_cast<size_t>(d) * sizeof(float));
    }
    if (count == 0) break;
    for (long i = 0; i < count; i++) {
      __builtin_memcpy(states + i * d, f.states + chosen[i] * d, static_cast<size_t>(d) * sizeof(float));
    }
    multiplyPacked({states, d, false}, at[0], f.classes, d, logits, stride, count);
    eachRow(count, f.classes, [&](long i) {
      const long t = chosen[i];
      f.losses[t] = lossRow(logits + i * stride, f.classes, f.labels[t], f.weights[t], gradient);
    });
    if (!gradient) continue;
    const Packing rows{states, d, false, count, d, at[3]};
    if (f.dEmbedding != nullptr) packAll(&rows, 1);
    const long blocks = f.dStates != nullptr ? (count + block - 1) / block : 0;
    const long tasks = f.dEmbedding != nullptr ? (f.classes + block - 1) / block : 0;
    parallel(blocks + tasks, [&](long task, int thread) {
      float* scratch = threadScratch(thread);
      if (task < blocks) {
        const long i = task * block;
        const long height = min(block, count - i);
        float* result = scratch + kLeftScratch;  // [height, d]
        multiply({logits + i * stride, stride, false}, at[1], d, f.classes, result, d, height, false, scratch);
        for (long r = 0; r < height; r++) {
          __builtin_memcpy(f.dStates + chosen[i + r] * d, result + r * d, static_cast<size_t>(d) * sizeof(float));
        }
        return;
      }
      const long i = (task - blocks) * block;
      multiply({logits + i, stride, true}, at[3], d, count, f.dEmbedding + i * d, d, min(block, f.classes - i), !first,
               scratch);
    });
    first = false;
  }
  if (first && f.dEmbedding != nullptr) {
    __builtin_memset(f.dEmbedding, 0, static_cast<size_t>(f.classes * d) * sizeof(float));
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
