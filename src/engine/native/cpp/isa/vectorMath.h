/**
 * Elementary functions of a vector.
 *
 * Coefficients as in src/engine/wasm/assembly/vectorMath.ts: minimax fits in relative error. NaN goes in, NaN comes out.
 */
#pragma once
#include "simd.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** eˣ, relative error ≤ 2e-7; 0 below −87, infinity above 88.73. */
INLINE V exponential(V value) {
  const V x = smaller(larger(value, splat(-87.3f)), splat(89.0f));
  const V shifted = x * 1.44269504f + 12582912.0f;  // 1.5 · 2²³: the low bits hold n = round(x / ln 2)
  const V n = shifted - 12582912.0f;
  // ln 2 in two parts; the first has 9 bits, so n times it is exact.
  V r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  V p = splat(0.0013814539415761828f);
  p = p * r + 0.00836874544620514f;
  p = p * r + 0.04166838899254799f;
  p = p * r + 0.1666652113199234f;
  p = p * r + 0.4999999403953552f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // 2ⁿ⁻¹, then doubled: 2ⁿ itself is out of range for the largest n, and the smallest gives 0.
  const VU bits = (reinterpret_cast<VU>(shifted) + 126u) << 23;
  const V half = p * reinterpret_cast<V>(bits);
  return half + half;
}

/** erf(x), absolute and relative error ≤ 4e-7: x P(x²)/Q(x²) up to 3.92, where it is 1 in float32. */
INLINE V errorFunction(V value) {
  const V x = smaller(larger(value, splat(-3.92f)), splat(3.92f));
  const V t = x * x;
  V p = splat(2.050084958682419e-6f);
  p = p * t + 0.00028488386305980384f;
  p = p * t + 0.003765653818845749f;
  p = p * t + 0.05274883657693863f;
  p = p * t + 0.19040727615356445f;
  p = p * t + 1.1283791065216064f;
  V q = splat(3.809174813795835e-5f);
  q = q * t + 0.0011625450570136309f;
  q = q * t + 0.014969289302825928f;
  q = q * t + 0.11410945653915405f;
  q = q * t + 0.5020768046379089f;
  q = q * t + 1.0f;
  return smaller(larger(ratio(x * p, q), splat(-1.0f)), splat(1.0f));
}

/** tanh(x), absolute and relative error ≤ 4e-7: x P(x²)/Q(x²) up to 9, where it is 1 in float32. */
INLINE V hyperbolicTangent(V value) {
  const V x = smaller(larger(value, splat(-9.0f)), splat(9.0f));
  const V t = x * x;
  V p = splat(1.3354653383146342e-8f);
  p = p * t + 2.060907536360901e-5f;
  p = p * t + 0.0034955875016748905f;
  p = p * t + 0.13381025195121765f;
  p = p * t + 1.0f;
  V q = splat(7.776554298288829e-7f);
  q = q * t + 0.000328563415678218f;
  q = q * t + 0.025876980274915695f;
  q = q * t + 0.4671434164047241f;
  q = q * t + 1.0f;
  return smaller(larger(ratio(x * p, q), splat(-1.0f)), splat(1.0f));
}

/**
 * Φ(z), so that GELU(z) = z Φ(z). The tanh form (1 + tanh u)/2 is the logistic function of 2u, free of cancellation.
 */
template <bool tanhForm>
INLINE V distribution(V z) {
  if (tanhForm) {
    const V exponent = z * (z * z * 0.044715f + 1.0f) * (-2.0f * 0.7978845608f);
    return 1.0f / (1.0f + exponential(exponent));
  }
  return (errorFunction(z * 0.7071067812f) + 1.0f) * 0.5f;
}

/** GELU'(z) given Φ(z): Φ + z φ, or Φ + 2 z Φ (1 − Φ) du/dz in the tanh form. */
template <bool tanhForm>
INLINE V geluSlope(V z, V phi) {
  const V square = z * z;
  if (tanhForm) {
    const V inner = (square * (3.0f * 0.044715f) + 1.0f) * (2.0f * 0.7978845608f);
    return phi + z * inner * (phi * (1.0f - phi));
  }
  return phi + z * (exponential(square * -0.5f) * 0.3989422804f);
}

/** ln x, relative error ≤ 3e-7: the exponent, and 2 artanh(s) of s = (m − 1)/(m + 1), |s| ≤ 0.172, m the mantissa. */
INLINE V logarithm(V x) {
  // Numbers below the smallest normal one are scaled up first.
  const VI small = x < 1.17549435e-38f;
  const V scaled = small ? x * 8388608.0f : x;
  const VU bits = reinterpret_cast<VU>(scaled);
  VI exponent = reinterpret_cast<VI>(bits >> 23) - 127 + (small & -23);
  V m = reinterpret_cast<V>((bits & 0x007fffffu) | 0x3f800000u);
  const VI high = m > 1.41421356f;
  m = high ? m * 0.5f : m;
  exponent -= high;  // a true lane is −1
  const V s = (m - 1.0f) / (m + 1.0f);
  const V t = s * s;
  V p = t * (1.0f / 9.0f) + 1.0f / 7.0f;
  p = p * t + 1.0f / 5.0f;
  p = p * t + 1.0f / 3.0f;
  const V n = __builtin_convertvector(exponent, V);
  const V twice = s + s;
  // ln 2 in two parts, as in `exponential`; the small parts are added first.
  const V result = n * 0.693359375f + (twice + (twice * t * p - n * 2.12194440e-4f));
  const float infinity = __builtin_inff();
  const V edge = x == 0.0f ? splat(-infinity) : (x < 0.0f ? splat(__builtin_nanf("")) : x);  // x: infinity or NaN
  return x > 0.0f && x < infinity ? result : edge;
}

/** ln(1 + x), relative error ≤ 4e-7: what 1 + x rounds off is put back as a factor. */
INLINE V logarithmOfOnePlus(V x) {
  const V u = x + 1.0f;
  const V rounded = u - 1.0f;
  const V result = logarithm(u);
  return rounded == 0.0f ? x : (u < __builtin_inff() ? result * (x / rounded) : result);
}

/** ln x of a positive x, to double precision: the exponent, and 2 artanh((m − 1)/(m + 1)) of the mantissa. */
INLINE float logarithm(float x) {
  if (!(x < __builtin_inff())) return x;
  const double wide = x;
  uint64_t bits;
  __builtin_memcpy(&bits, &wide, sizeof(bits));
  long exponent = static_cast<long>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
  double mantissa;
  __builtin_memcpy(&mantissa, &bits, sizeof(mantissa));
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    exponent++;
  }
  const double s = (mantissa - 1) / (mantissa + 1);  // |s| ≤ 0.172
  const double t = s * s;
  const double series =
      1 + t * (1.0 / 3 + t * (1.0 / 5 + t * (1.0 / 7 + t * (1.0 / 9 + t * (1.0 / 11 + t * (1.0 / 13))))));
  return static_cast<float>(static_cast<double>(exponent) * 0.6931471805599453 + 2 * s * series);
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
