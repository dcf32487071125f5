/** The optimizer's step and the norm of the gradients, over the pieces of all parameters at once. */
#pragma once
#include "../kernels.h"
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

static void adamW(const AdamW& s) {
  parallel(s.numPieces, [&](long task, int) {
    const AdamWPiece& p = s.pieces[task];
    eachVector(p.count, [&](long i, auto lanes) {
      const V g = load(p.gradient + i, lanes) * s.gradientScale;
      const V m = load(p.m + i, lanes) * s.beta1 + g * s.restOfBeta1;
      const V v = load(p.v + i, lanes) * s.beta2 + g * g * s.restOfBeta2;
      const V change = m / (squareRoot(v / s.correction) + s.epsilon);
      store(p.param + i, load(p.param + i, lanes) * p.decay - change * s.rate, lanes);
      store(p.m + i, m, lanes);
      store(p.v + i, v, lanes);
    });
  });
}

/** A vector of doubles, and as many floats. */
typedef double Doubles __attribute__((vector_size(4 * W)));
typedef float Half __attribute__((vector_size(2 * W), aligned(4), may_alias));

INLINE Doubles squares(const float* p) {
  const Doubles x = __builtin_convertvector(*reinterpret_cast<const Half*>(p), Doubles);
  return x * x;
}

static void squaredNorms(const NormPiece* pieces, long numPieces, double* sums) {
  parallel(numPieces, [&](long task, int) {
    const NormPiece& p = pieces[task];
    Doubles first = {}, second = {};
    long i = 0;
    for (; i + W <= p.count; i += W) {
      first += squares(p.x + i);
      second += squares(p.x + i + W / 2);
    }
    first += second;
    double total = 0;
    for (int lane = 0; lane < W / 2; lane++) total += first[lane];
    for (; i < p.count; i++) total += static_cast<double>(p.x[i]) * static_cast<double>(p.x[i]);
    sums[task] = total;
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
