/** Θ, the weights of a Pattention, and its gradient, one row of scores at a time. */
#pragma once
#include "../kernels.h"
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** x / y, and 0 where y is 0. */
INLINE float quotient(float x, float y) { return y == 0 ? 0 : x / y; }

/** s = GELU(scale · a) */
template <bool tanhForm>
INLINE void geluRow(const float* a, float* s, long n, float scale) {
  eachVector(n, [&](long i, auto lanes) {
    const V z = load(a + i, lanes) * scale;
    store(s + i, z * distribution<tanhForm>(z), lanes);
  });
}

/** s = Θ(a), n numbers; a row of zero norm gives zeros. */
template <bool tanhForm>
static void weightsRow(const float* a, float* s, const Pattention& f) {
  if (f.mode == WeightMode::l2NormGelu) {
    geluRow<tanhForm>(a, s, f.n, quotient(f.tau, __builtin_sqrtf(rowDot(a, a, f.n)) + f.epsilon));
  } else if (f.mode == WeightMode::geluL2Norm) {
    geluRow<tanhForm>(a, s, f.n, 1);
    rowScale(s, f.n, quotient(f.tau, __builtin_sqrtf(rowDot(s, s, f.n)) + f.epsilon));
  } else if (f.mode == WeightMode::gelu) {
    geluRow<tanhForm>(a, s, f.n, 1);
  } else {
    rowScale(s, f.n, f.tau / rowExponential(a, s, f.n, rowMax(a, f.n)));
  }
}

/** s = Θ(a) and, in place, d: the gradient of s → the gradient of a. */
template <bool tanhForm>
static void weightsGradientRow(const float* a, float* s, float* d, const Pattention& f) {
  const long n = f.n;
  if (f.mode == WeightMode::l2NormGelu) {
    const float norm = __builtin_sqrtf(rowDot(a, a, n));
    const float q = norm + f.epsilon;
    const float scale = quotient(f.tau, q);
    V sum = {};
    eachVector(n, [&](long i, auto lanes) {
      const V x = load(a + i, lanes);
      const V z = x * scale;
      const V phi = distribution<tanhForm>(z);
      const V dz = load(d + i, lanes) * geluSlope<tanhForm>(z, phi);
      sum += x * dz;
      store(s + i, z * phi, lanes);
      store(d + i, dz, lanes);
    });
    const float along = quotient(scale * sumLanes(sum), q * norm);
    eachVector(n, [&](long i, auto lanes) {
      store(d + i, load(d + i, lanes) * scale - load(a + i, lanes) * along, lanes);
    });
  } else if (f.mode == WeightMode::geluL2Norm) {
    geluRow<tanhForm>(a, s, n, 1);
    const float norm = __builtin_sqrtf(rowDot(s, s, n));
    const float q = norm + f.epsilon;
    const float scale = quotient(f.tau, q);
    const float along = quotient(scale * rowDot(s, d, n), q * norm);
    eachVector(n, [&](long i, auto lanes) {
      const V z = load(a + i, lanes);
      const V g = load(s + i, lanes);
      const V dg = load(d + i, lanes) * scale - g * along;
      store(s + i, g * scale, lanes);
      store(d + i, dg * geluSlope<tanhForm>(z, distribution<tanhForm>(z)), lanes);
    });
  } else if (f.mode == WeightMode::gelu) {
    eachVector(n, [&](long i, auto lanes) {
      const V z = load(a + i, lanes);
      const V phi = distribution<tanhForm>(z);
      store(s + i, z * phi, lanes);
      store(d + i, load(d + i, lanes) * geluSlope<tanhForm>(z, phi), lanes);
    });
  } else {
    rowScale(s, n, 1 / rowExponential(a, s, n, rowMax(a, n)));
    const float mean = rowDot(s, d, n);
    eachVector(n, [&](long i, auto lanes) {
      const V weight = load(s + i, lanes) * f.tau;
      store(d + i, weight * (load(d + i, lanes) - mean), lanes);
      store(s + i, weight, lanes);
    });
  }
}

INLINE void weightsRows(const float* a, float* s, long rows, const Pattention& f) {
  for (long r = 0; r < rows; r++) {
    if (f.tanhForm) weightsRow<true>(a + r * f.n, s + r * f.n, f);
    else weightsRow<false>(a + r * f.n, s + r * f.n, f);
  }
}

INLINE void weightsGradientRows(const float* a, float* s, float* d, long rows, const Pattention& f) {
  for (long r = 0; r < rows; r++) {
    if (f.tanhForm) weightsGradientRow<true>(a + r * f.n, s + r * f.n, d + r * f.n, f);
    else weightsGradientRow<false>(a + r * f.n, s + r * f.n, d + r * f.n, f);
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
