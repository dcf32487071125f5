/** Along one row: sums, softmax, layer normalisation and rotary positions. */
#pragma once
#include "product.h"
#include "vectorMath.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Numbers a task goes through, about, in kernels that go row by row. */
constexpr long kTaskNumbers = 1L << 14;

/** Runs f(row) for all rows, several to a task. */
template <class F>
INLINE void eachRow(long rows, long width, const F& f) {
  const long each = max<long>(1, kTaskNumbers / max(width, 1L));
  parallel((rows + each - 1) / each, [&](long task, int) {
    const long end = min((task + 1) * each, rows);
    for (long i = task * each; i < end; i++) f(i);
  });
}

INLINE float rowSum(const float* x, long n) {
  V sum = {};
  eachVector(n, [&](long i, auto lanes) { sum += load(x + i, lanes); });
  return sumLanes(sum);
}

INLINE float rowDot(const float* x, const float* y, long n) {
  V sum = {};
  eachVector(n, [&](long i, auto lanes) { sum += load(x + i, lanes) * load(y + i, lanes); });
  return sumLanes(sum);
}

/** The largest of x[0 … n); NaN may be passed over, and shows in the sum. */
INLINE float rowMax(const float* x, long n) {
  const float low = -__builtin_inff();
  V largest = splat(low);
  eachVector(n, [&](long i, auto lanes) { largest = larger(largest, load(x + i, lanes, low)); });
  return maxLane(largest);
}

/** out = exp(scale · x − shift); returns the sum. */
INLINE float rowExponential(const float* x, float* out, long n, float shift, float scale = 1) {
  V sum = {};
  eachVector(n, [&](long i, auto lanes) {
    const V term = only(exponential(load(x + i, lanes) * scale - shift), lanes);
    sum += term;
    store(out + i, term, lanes);
  });
  return sumLanes(sum);
}

INLINE void rowScale(float* x, long n, float factor) {
  eachVector(n, [&](long i, auto lanes) { store(x + i, load(x + i, lanes) * factor, lanes); });
}

/** x = softmax(scale · x) for n ≤ 2 W numbers, in registers; writes zeros up to x[extent), and the largest score; returns the sum. */
INLINE float softmaxShortRow(float* x, long n, long extent, float scale, float* largest) {
  const float low = -__builtin_inff();
  const bool two = n > W;
  const Part first{min<long>(n, W)}, second{max<long>(n - W, 0)};
  const V a = load(x, first, low);
  const V b = two ? load(x + W, second, low) : splat(low);
  const float shift = maxLane(larger(a, b)) * scale;
  const V p = only(exponential(a * scale - shift), first);
  const V q = two ? only(exponential(b * scale - shift), second) : V{};
  const float sum = sumLanes(p + q);
  const float inverse = 1 / sum;
  store(x, p * inverse, Part{min<long>(extent, W)});
  if (extent > W) store(x + W, q * inverse, Part{min<long>(extent - W, W)});
  for (long j = 2 * W; j < extent; j++) x[j] = 0;
  *largest = shift;
  return sum;
}

static void softmax(const float* x, float* out, long rows, long width) {
  eachRow(rows, width, [&](long i) {
    float* y = out + i * width;
    const float sum = rowExponential(x + i * width, y, width, rowMax(x + i * width, width));
    rowScale(y, width, 1 / sum);
  });
}

/** y = (x − mean)/√(variance + ε) of one row; returns 1/√(variance + ε). */
INLINE float normalizeRow(const float* x, float* y, long width, float epsilon) {
  const float mean = rowSum(x, width) / static_cast<float>(width);
  V squares = {};
  eachVector(width, [&](long j, auto lanes) {
    const V centred = only(load(x + j, lanes) - mean, lanes);
    squares += centred * centred;
    store(y + j, centred, lanes);
  });
  const float inverse = 1 / __builtin_sqrtf(sumLanes(squares) / static_cast<float>(width) + epsilon);
  rowScale(y, width, inverse);
  return inverse;
}

static void layerNormalize(const float* x, float* out, float* inverseDeviation, long rows, long width, float epsilon) {
  eachRow(rows, width, [&](long i) {
    inverseDeviation[i] = normalizeRow(x + i * width, out + i * width, width, epsilon);
  });
}

/** dx = (dy − mean(dy) − y mean(dy y)) · inverseDeviation */
static void layerNormalizeGradient(bool add, const float* dOut, const float* out, const float* inverseDeviation,
                                   float* dX, long rows, long width) {
  eachRow(rows, width, [&](long i) {
    const float* d = dOut + i * width;
    const float* y = out + i * width;
    const float mean = rowSum(d, width) / static_cast<float>(width);
    const float along = rowDot(d, y, width) / static_cast<float>(width);
    const float inverse = inverseDeviation[i];
    eachVector(width, [&](long j, auto lanes) {
      float* to = dX + i * width + j;
      const V own = (load(d + j, lanes) - mean - load(y + j, lanes) * along) * inverse;
      store(to, add ? load(to, lanes) + own : own, lanes);
    });
  });
}

/** losses = weights (log Σ exp z − z[label]) and logSumExp. A label outside [0, classes) costs nothing. */
static void crossEntropy(const float* logits, const int32_t* labels, const float* weights, float* losses,
                         float* logSumExp, long rows, long classes) {
  eachRow(rows, classes, [&](long i) {
    const float* z = logits + i * classes;
    const float largest = rowMax(z, classes);
    V sum = {};
    eachVector(classes, [&](long j, auto lanes) { sum += only(exponential(load(z + j, lanes) - largest), lanes); });
    const float log = logarithm(sumLanes(sum));
    const long label = labels[i];
    const bool inside = label >= 0 && label < classes;
    losses[i] = weights[i] * (inside ? log - (z[label] - largest) : 0);
    logSumExp[i] = largest + log;
  });
}

/** dLogits = weights · dLosses (exp(z − logSumExp) − onehot) */
static void crossEntropyGradient(const float* dLosses, const float* logits, const int32_t* labels,
                                 const float* weights, const float* logSumExp, float* dLogits, long rows,
                                 long classes) {
  eachRow(rows, classes, [&](long i) {
    const float factor = weights[i] * dLosses[i];
    const float shift = logSumExp[i];
    const float* z = logits + i * classes;
    float* d = dLogits + i * classes;
    eachVector(classes, [&](long j, auto lanes) { store(d + j, exponential(load(z + j, lanes) - shift) * factor, lanes); });
    const long label = labels[i];
    if (label >= 0 && label < classes) d[label] -= factor;
  });
}

static void argMax(const float* x, int32_t* out, long rows, long width) {
  eachRow(rows, width, [&](long i) {
    const float* row = x + i * width;
    const float largest = rowMax(row, width);
    long place = 0;
    // Not a number at the start is larger than nothing and smaller than nothing, so it stays.
    if (row[0] == row[0]) while (row[place] != largest) place++;
    out[i] = static_cast<int32_t>(place);
  });
}

static void sumRows(const float* x, float* out, long rows, long width, float factor) {
  if (rows >= 4 || width <= kTaskNumbers) {
    eachRow(rows, width, [&](long i) { out[i] = rowSum(x + i * width, width) * factor; });
    return;
  }
  // A few long rows: pieces of one length whatever the thread count, their sums added in order.
  const long pieces = (width + kTaskNumbers - 1) / kTaskNumbers;
  reserveScratch(0, static_cast<size_t>(pieces));
  float* sums = sharedScratch();
  for (long i = 0; i < rows; i++) {
    parallel(pieces, [&](long piece, int) {
      const long from = piece * kTaskNumbers;
      sums[piece] = rowSum(x + i * width + from, min(kTaskNumbers, width - from));
    });
    out[i] = rowSum(sums, pieces) * factor;
  }
}

static void sumColumns(const float* x, float* out, long outer, long rows, long width, float factor) {
  // Columns are shared out, a cache line at least; each is added up from the first row to the last.
  const long columns = roundUp(max<long>(16, min(width, (1L << 16) / max(rows, 1L))), 16);
  const long blocks = (width + columns - 1) / columns;
  parallel(outer * blocks, [&](long task, int) {
    const long from = task % blocks * columns;
    const long count = min(columns, width - from);
    const float* in = x + task / blocks * rows * width + from;
    float* sum = out + task / blocks * width + from;
    eachVector(count, [&](long j, auto lanes) {
      V total = {};
      for (long i = 0; i < rows; i++) total += load(in + i * width + j, lanes);
      store(sum + j, total * factor, lanes);
    });
  });
}

/** out[ids[i]] += x[i], rows in order; ids outside [0, segments) are left out. */
static void segmentSum(const float* x, const int32_t* ids, float* out, long rows, long width, long segments) {
  const long columns = roundUp(max<long>(16, (width + threadCount() - 1) / threadCount()), 16);
  parallel((width + columns - 1) / columns, [&](long task, int) {
    const long from = task * columns;
    const long count = min(columns, width - from);
    for (long s = 0; s < segments; s++) __builtin_memset(out + s * width + from, 0, static_cast<size_t>(count) * 4);
    for (long i = 0; i < rows; i++) {
      if (ids[i] < 0 || ids[i] >= segments) continue;
      float* to = out + ids[i] * width + from;
      const float* row = x + i * width + from;
      eachVector(count, [&](long j, auto lanes) { store(to + j, load(to + j, lanes) + load(row + j, lanes), lanes); });
    }
  });
}

/** Turns pairs (x[i], x[half + i]) of every head of a row by the angle of its position; out may be x. */
INLINE void rotateRow(const float* x, float* out, const float* cosines, const float* sines, long numHeads, long headDim,
                      long half) {
  for (long h = 0; h < numHeads; h++) {
    const float* from = x + h * headDim;
    float* to = out + h * headDim;
    long i = 0;
    for (; i + W <= half; i += W) {
      const V a = load(from + i);
      const V b = load(from + half + i);
      const V c = load(cosines + i);
      const V s = load(sines + i);
      store(to + i, a * c - b * s);
      store(to + half + i, b * c + a * s);
    }
    // Heads may turn three pairs: parts of vectors would cost more than they save.
    for (; i < half; i++) {
      const float a = from[i];
      const float b = from[half + i];
      to[i] = a * cosines[i] - b * sines[i];
      to[half + i] = b * cosines[i] + a * sines[i];
    }
    if (to == from) continue;
    eachVector(headDim - 2 * half, [&](long j, auto lanes) {
      store(to + 2 * half + j, load(from + 2 * half + j, lanes), lanes);
    });
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
