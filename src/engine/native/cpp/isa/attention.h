/**
 * Attention softmax(q kᵀ/√headDim + mask) v per head and its gradient, a block of queries at a time.
 *
 * Tensors stay in [batch, len, numHeads · headDim]: a head is a strided matrix. No [queryLen, keyLen] array outlives
 * its block; left for the backward pass is the log-sum-exp of every row, from which it gets the probabilities again.
 * A head of a batch item is a task, worked on by one thread from the first query to the last.
 */
#pragma once
#include "../kernels.h"
#include "attentionMask.h"
#include "product.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Queries of a block: about 128 KiB of scores. */
INLINE long blockQueries(long queryLen, long keyLen) {
  return min(queryLen, max<long>(MR, (1L << 15) / max(keyLen, 1L) / MR * MR));
}

/** One head of one batch item. */
struct Head {
  const Attention& f;
  long item, head, row;
  const float *keys, *values, *mask;
  Visibility sight;

  Head(const Attention& of, long task)
      : f(of), item(task / of.numHeads), head(task % of.numHeads), row(of.numHeads * of.headDim),
        keys(of.k + keyPlace()), values(of.v + keyPlace()),
        mask(of.keyMask == nullptr ? nullptr : of.keyMask + item * of.maskStride),
        sight{of.queryLen, of.keyLen, of.prefixLen, firstUnpadded(mask, of.keyLen)} {}

  long keyPlace() const { return item * f.keyLen * row + head * f.headDim; }
  long queryPlace(long i) const { return (item * f.queryLen + i) * row + head * f.headDim; }
  long rowPlace(long i) const { return (item * f.numHeads + head) * f.queryLen + i; }
};

static void attention(const Attention& f) {
  const long block = blockQueries(f.queryLen, f.keyLen);
  const bool thin = f.queryLen <= kThinRows;
  const long keySize = thin ? 0 : packedSize(f.headDim, f.keyLen);
  // V is packed in two parts, keys of the context and the others: a part of the depth is a product of its own.
  const long valueSize = thin ? 0 : f.keyLen * roundUp(f.headDim, NR);
  reserveScratch(static_cast<size_t>(kLeftScratch + keySize + valueSize + block * (f.keyLen + 1)), 0);
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(f.headDim));
  const long heads = f.batch * f.numHeads;
  parallel(heads, 2 * heads * f.queryLen * f.keyLen * f.headDim, [&](long task, int thread) {
    const Head h(f, task);
    float* scratch = threadScratch(thread);
    float* packedKeys = scratch + kLeftScratch;
    float* packedValues = packedKeys + keySize;
    float* scores = packedValues + valueSize;
    float* sums = scores + block * f.keyLen;
    if (!thin) pack(h.keys, h.row, true, f.headDim, f.keyLen, packedKeys);
    long packedFrom = -1, packedTo = -1;
    const auto weighted = [&](const float* p, float* out, long rows, long from, long to, bool add) {
      const float* values = h.values + from * h.row;
      if (thin) {
        multiplyThin(p + from, f.keyLen, values, h.row, false, to - from, out, h.row, rows, add, 0, f.headDim);
        return;
      }
      if (packedFrom != from || packedTo != to) pack(values, h.row, false, to - from, f.headDim, packedValues);
      packedFrom = from;
      packedTo = to;
      multiply({p + from, f.keyLen, false}, packedValues, f.headDim, to - from, out, h.row, rows, add, scratch);
    };
    for (long i = 0; i < f.queryLen; i += block) {
      const long rows = min(block, f.queryLen - i);
      const long extent = h.sight.extent(i, rows);
      const float* q = f.q + h.queryPlace(i);
      float* out = f.output + h.queryPlace(i);
      if (thin) multiplyThin(q, h.row, h.keys, h.row, true, f.headDim, scores, f.keyLen, rows, false, 0, extent);
      else multiply({q, h.row, false}, packedKeys, f.keyLen, f.headDim, scores, f.keyLen, rows, false, 0,
                    min(roundUp(extent, NR), f.keyLen), scratch);
      for (long r = 0; r < rows; r++) {
        float* s = scores + r * f.keyLen;
        const bool plain = h.sight.plain(h.mask, i + r);
        const long width = plain ? h.sight.visible(i + r) : maskRow(s, h.mask, h.sight, i + r, scale);
        const float factor = plain ? scale : 1;
        float* largest = f.logSumExp + h.rowPlace(i + r);
        if (width <= 2 * W) {
          sums[r] = softmaxShortRow(s, width, extent, factor, largest);
          continue;
        }
        *largest = rowMax(s, width) * factor;
        sums[r] = rowExponential(s, s, width, *largest, factor);
        rowScale(s, width, 1 / sums[r]);
        __builtin_memset(s + width, 0, static_cast<size_t>(extent - width) * sizeof(float));
      }
      eachVector(rows, [&](long r, auto lanes) {
        float* to = f.logSumExp + h.rowPlace(i) + r;
        store(to, load(to, lanes) + logarithm(load(sums + r, lanes, 1)), lanes);
      });
      const long context = min(f.contextLen, extent);
      if (context > 0) {
        float* fromContext = out + f.batch * f.queryLen * h.row;
        weighted(scores, fromContext, rows, 0, context, false);
        for (long r = 0; r < rows; r++) {
          __builtin_memcpy(out + r * h.row, fromContext + r * h.row, static_cast<size_t>(f.headDim) * sizeof(float));
        }
        if (context < extent) weighted(scores, out, rows, context, extent, true);
      } else {
        weighted(scores, out, rows, 0, extent, false);
      }
    }
  });
}

/** Transposed left factor times rows as they are: to[m, width] += aᵀ b, `rows` deep. */
INLINE void addTransposed(const float* a, long lda, const float* b, long ldb, float* to, long ldTo, long m, long width,
                          long rows, float* packed, float* scratch) {
  pack(b, ldb, false, rows, width, packed);
  multiply({a, lda, true}, packed, width, rows, to, ldTo, m, true, scratch);
}

/** Queries up to the last one whose output has a gradient: those behind it, as padding is, need no work. */
INLINE long queriesWithGradient(const Attention& f, const Head& h) {
  const long toContext = f.batch * f.queryLen * h.row;
  const auto none = [&](const float* d) {
    for (long j = 0; j < f.headDim; j++) {
      if (d[j] != 0) return false;
    }
    return true;
  };
  long queries = f.queryLen;
  for (; queries > 0; queries--) {
    const float* dO = f.dOutput + h.queryPlace(queries - 1);
    if (!none(dO) || (f.contextLen > 0 && !none(dO + toContext))) break;
  }
  return queries;
}

/**
 * With P the probabilities, C the part of the output from the context, <·,·> along a row:
 *
 *   dV = Pᵀ dO (+ Pᵀ dC on context keys),  dP = dO Vᵀ (+ dC Vᵀ on context keys),
 *   dA = P (dP − <O, dO> − <C, dC>)/√headDim,  dQ = dA K,  dK = dAᵀ Q
 */
static void attentionGradient(const Attention& f) {
  const long block = blockQueries(f.queryLen, f.keyLen);
  const long acrossSize = packedSize(f.headDim, f.keyLen);
  const long alongSize = packedSize(f.keyLen, f.headDim);
  const long rowsSize = packedSize(block, f.headDim);
  reserveScratch(static_cast<size_t>(kLeftScratch + 2 * acrossSize + alongSize + rowsSize + 2 * block * f.keyLen), 0);
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(f.headDim));
  parallel(f.batch * f.numHeads, [&](long task, int thread) {
    const Head h(f, task);
    float* scratch = threadScratch(thread);
    float* scoreKeys = scratch + kLeftScratch;     // columns of Kᵀ
    float* scoreValues = scoreKeys + acrossSize;   // columns of Vᵀ
    float* packedKeys = scoreValues + acrossSize;  // columns of K
    float* packedRows = packedKeys + alongSize;    // a block of Q, dO or dC
    float* p = packedRows + rowsSize;
    float* d = p + block * f.keyLen;  // dP, then dA
    float* dKeys = f.dK + h.keyPlace();
    float* dValues = f.dV + h.keyPlace();
    const long toContext = f.batch * f.queryLen * h.row;
    pack(h.keys, h.row, true, f.headDim, f.keyLen, scoreKeys);
    pack(h.values, h.row, true, f.headDim, f.keyLen, scoreValues);
    long packedExtent = -1;
    for (long j = 0; j < f.keyLen; j++) {
      __builtin_memset(dKeys + j * h.row, 0, static_cast<size_t>(f.headDim) * sizeof(float));
      __builtin_memset(dValues + j * h.row, 0, static_cast<size_t>(f.headDim) * sizeof(float));
    }
    const long queries = queriesWithGradient(f, h);
    for (long i = queries; i < f.queryLen; i++) {
      __builtin_memset(f.dQ + h.queryPlace(i), 0, static_cast<size_t>(f.headDim) * sizeof(float));
    }
    for (long i = 0; i < queries; i += block) {
      const long rows = min(block, queries - i);
      const long extent = h.sight.extent(i, rows);
      const long columns = min(roundUp(extent, NR), f.keyLen);
      const long context = min(f.contextLen, extent);
      const float* q = f.q + h.queryPlace(i);
      const float* o = f.output + h.queryPlace(i);
      const float* dO = f.dOutput + h.queryPlace(i);
      const float* dC = dO + toContext;
      multiply({q, h.row, false}, scoreKeys, f.keyLen, f.headDim, p, f.keyLen, rows, false, 0, columns, scratch);
      multiply({dO, h.row, false}, scoreValues, f.keyLen, f.headDim, d, f.keyLen, rows, false, 0, columns, scratch);
      if (context > 0) {
        // A panel that reaches past the context is left to the loop: only its first columns are meant.
        const long whole = context / NR * NR;
        if (whole > 0) {
          multiply({dC, h.row, false}, scoreValues, f.keyLen, f.headDim, d, f.keyLen, rows, true, 0, whole, scratch);
        }
        for (long r = 0; r < rows; r++) {
          for (long j = whole; j < context; j++) {
            d[r * f.keyLen + j] += rowDot(dC + r * h.row, h.values + j * h.row, f.headDim);
          }
        }
      }
      for (long r = 0; r < rows; r++) {
        float* pr = p + r * f.keyLen;
        float* dr = d + r * f.keyLen;
        const bool plain = h.sight.plain(h.mask, i + r);
        const long width = plain ? h.sight.visible(i + r) : maskRow(pr, h.mask, h.sight, i + r, scale);
        const float factor = plain ? scale : 1;
        const float shift = f.logSumExp[h.rowPlace(i + r)];
        float mean = rowDot(o + r * h.row, dO + r * h.row, f.headDim);
        if (context > 0) mean += rowDot(o + toContext + r * h.row, dC + r * h.row, f.headDim);
        eachVector(width, [&](long j, auto lanes) {
          const V weight = exponential(load(pr + j, lanes) * factor - shift);
          store(pr + j, weight, lanes);
          store(dr + j, weight * scale * (load(dr + j, lanes) - mean), lanes);
        });
        __builtin_memset(pr + width, 0, static_cast<size_t>(extent - width) * sizeof(float));
        __builtin_memset(dr + width, 0, static_cast<size_t>(extent - width) * sizeof(float));
      }
      if (packedExtent != extent) pack(h.keys, h.row, false, extent, f.headDim, packedKeys);
      packedExtent = extent;
      multiply({d, f.keyLen, false}, packedKeys, f.headDim, extent, f.dQ + h.queryPlace(i), h.row, rows, false, scratch);
      addTransposed(d, f.keyLen, q, h.row, dKeys, h.row, extent, f.headDim, rows, packedRows, scratch);
      addTransposed(p, f.keyLen, dO, h.row, dValues, h.row, extent, f.headDim, rows, packedRows, scratch);
      if (context > 0) {
        addTransposed(p, f.keyLen, dC, h.row, dValues, h.row, context, f.headDim, rows, packedRows, scratch);
      }
    }
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
