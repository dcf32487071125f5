#include "device.cuh"

/**
 * Θ of Pattention, row by row, and its gradient: the weights A = Θ(S) of the scores S = X Kᵀ of several groups of parameter tokens that
 * lie side by side in each row. src/kernels/pattention/normActivations.ts has the equations.
 */

/** Groups within a row of scores: first column, number of columns, τ. */
struct ThetaGroups {
  int start[16];
  int length[16];
  float tau[16];
};

#define THETA_L2_NORM_GELU 0
#define THETA_GELU_L2_NORM 1
#define THETA_SOFTMAX 2
#define THETA_GELU 3

/**
 * GELU and its slope from one exponential. erf by Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: off by at most 1.5e-7.
 */
__device__ __forceinline__ void geluParts(float x, int isTanh, float& value, float& slope) {
  if (isTanh) {
    const float inner = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    const float t = 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * fminf(inner, 40.0f)));
    value = 0.5f * x * (1.0f + t);
    slope = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * 0.7978845608028654f * (1.0f + 3.0f * 0.044715f * x * x);
    return;
  }
  const float t = __fdividef(1.0f, 1.0f + 0.3275911f * 0.7071067811865476f * fabsf(x));
  const float e = __expf(-0.5f * x * x);
  const float polynomial =
      t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float upper = 0.5f * polynomial * e;  // Φ(−|x|)
  const float phi = x >= 0.0f ? 1.0f - upper : upper;
  value = x * phi;
  slope = phi + x * 0.3989422804014327f * e;
}

__device__ __forceinline__ float geluOf(float x, int isTanh) {
  float value;
  float slope;
  geluParts(x, isTanh, value, slope);
  return value;
}

__device__ __forceinline__ float geluSlope(float x, int isTanh) {
  float value;
  float slope;
  geluParts(x, isTanh, value, slope);
  return slope;
}

/** τ / (‖·‖ + ε) from the squared norm; 0 for a row of zeros. */
__device__ __forceinline__ float l2Factor(float tau, float norm, float epsilon) {
  const float q = norm + epsilon;
  return q == 0.0f ? 0.0f : tau / q;
}

/** Σ over a row of S·dZ turned into the factor of S in the gradient of the norm. */
__device__ __forceinline__ float l2Along(float factor, float dot, float norm, float epsilon) {
  const float below = (norm + epsilon) * norm;
  return below == 0.0f ? 0.0f : factor * dot / below;
}

/** Four neighbours as they are stored, so that a row takes few registers. */
template <class T>
struct Stored;
template <>
struct Stored<float> {
  float4 raw;
};
template <>
struct Stored<bf16> {
  uint2 raw;
};
__device__ __forceinline__ void loadStored(Stored<float>& to, const float* from) { to.raw = load4(from); }
__device__ __forceinline__ void loadStored(Stored<bf16>& to, const bf16* from) {
  to.raw = *reinterpret_cast<const uint2*>(from);
}
__device__ __forceinline__ void clearStored(Stored<float>& to) { to.raw = make_float4(0.0f, 0.0f, 0.0f, 0.0f); }
__device__ __forceinline__ void clearStored(Stored<bf16>& to) { to.raw = make_uint2(0u, 0u); }
__device__ __forceinline__ float4 widen(const Stored<float>& from) { return from.raw; }
__device__ __forceinline__ float4 widen(const Stored<bf16>& from) {
  return make_float4(lowFloat(from.raw.x), highFloat(from.raw.x), lowFloat(from.raw.y), highFloat(from.raw.y));
}

/** The scores of a row: COUNT vectors of four for each of its threads, dealt out in turn; 0 beyond the row. */
template <class T, int COUNT, int LANES>
__device__ __forceinline__ void loadRow(Stored<T> (&s)[COUNT], const T* row, int vectors, int lane) {
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const int place = lane + i * LANES;
    if (place < vectors) loadStored(s[i], row + 4 * place);
    else clearStored(s[i]);
  }
}

/** factor of S and its norm in a row: τ / (‖S‖ + ε), or 1 without a norm. */
template <class T, int COUNT, int LANES>
__device__ __forceinline__ float thetaFactor(const Stored<T> (&s)[COUNT], float tau, int mode, float epsilon, float* buffer,
                                             float& norm) {
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const float4 v = widen(s[i]);
    sum += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  norm = sqrtf(rowSum<LANES>(sum, buffer));
  return mode == THETA_GELU ? 1.0f : l2Factor(tau, norm, epsilon);
}

/**
 * weights = Θ(scores) for l2NormGelu and gelu; grid (rows / rows per block, groups), 256 threads. LANES threads share a row.
 * Scores and weights have `stride` columns; groups start at multiples of 4 and have multiples of 4 columns, at most 4 · COUNT · LANES.
 */
template <class T, int COUNT, int LANES>
__device__ __forceinline__ void thetaForward(const T* scores, T* weights, int rows, i64 stride, const ThetaGroups& groups,
                                             int mode, int isTanh, float epsilon) {
  __shared__ float buffer[32];
  const int group = blockIdx.y;
  const int lane = threadIdx.x % LANES;
  const int row = blockIdx.x * (256 / LANES) + threadIdx.x / LANES;
  if (row >= rows) return;
  const int vectors = groups.length[group] / 4;
  const i64 place = row * stride + groups.start[group];
  Stored<T> s[COUNT];
  loadRow<T, COUNT, LANES>(s, scores + place, vectors, lane);
  float norm;
  const float factor = thetaFactor<T, COUNT, LANES>(s, groups.tau[group], mode, epsilon, buffer, norm);
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const int column = lane + i * LANES;
    if (column >= vectors) continue;
    float4 v = widen(s[i]);
    v.x = geluOf(v.x * factor, isTanh);
    v.y = geluOf(v.y * factor, isTanh);
    v.z = geluOf(v.z * factor, isTanh);
    v.w = geluOf(v.w * factor, isTanh);
    store4(weights + place + 4 * column, v);
  }
}

/** gradient, dA on the way in, becomes dS; weights = Θ(scores) where they are wanted. */
template <class T, int COUNT, int LANES>
__device__ __forceinline__ void thetaBackward(const T* scores, T* gradient, T* weights, int rows, i64 stride,
                                              const ThetaGroups& groups, int mode, int isTanh, float epsilon) {
  __shared__ float buffer[32];
  const int group = blockIdx.y;
  const int lane = threadIdx.x % LANES;
  const int row = blockIdx.x * (256 / LANES) + threadIdx.x / LANES;
  if (row >= rows) return;
  const int vectors = groups.length[group] / 4;
  const i64 place = row * stride + groups.start[group];
  Stored<T> s[COUNT];
  Held<COUNT> d;
  loadRow<T, COUNT, LANES>(s, scores + place, vectors, lane);
  loadHeld<COUNT, LANES>(d, gradient + place, vectors, lane);
  float norm;
  const float factor = thetaFactor<T, COUNT, LANES>(s, groups.tau[group], mode, epsilon, buffer, norm);
  float dot = 0.0f;
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const float4 v = widen(s[i]);
    const float x[4] = {v.x, v.y, v.z, v.w};
    float weight[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float slope;
      geluParts(x[j] * factor, isTanh, weight[j], slope);
      d.x[i][j] *= slope;
      dot += x[j] * d.x[i][j];
    }
    const int column = lane + i * LANES;
    if (weights != nullptr && column < vectors)
      store4(weights + place + 4 * column, make_float4(weight[0], weight[1], weight[2], weight[3]));
  }
  const float along = mode == THETA_GELU ? 0.0f : l2Along(factor, rowSum<LANES>(dot, buffer), norm, epsilon);
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const int column = lane + i * LANES;
    if (column >= vectors) continue;
    const float4 v = widen(s[i]);
    store4(gradient + place + 4 * column,
           make_float4(factor * d.x[i][0] - v.x * along, factor * d.x[i][1] - v.y * along,
                       factor * d.x[i][2] - v.z * along, factor * d.x[i][3] - v.w * along));
  }
}

#define THETA_KERNELS(T, COUNT, LANES, name)                                                                       \
  KERNEL __launch_bounds__(256) theta_forward_##name(const T* scores, T* weights, int rows, i64 stride,            \
                                                     ThetaGroups groups, int mode, int isTanh, float epsilon) {     \
    thetaForward<T, COUNT, LANES>(scores, weights, rows, stride, groups, mode, isTanh, epsilon);                    \
  }                                                                                                                 \
  KERNEL __launch_bounds__(256) theta_backward_##name(const T* scores, T* gradient, T* weights, int rows,           \
                                                      i64 stride, ThetaGroups groups, int mode, int isTanh,         \
                                                      float epsilon) {                                              \
    thetaBackward<T, COUNT, LANES>(scores, gradient, weights, rows, stride, groups, mode, isTanh, epsilon);         \
  }

THETA_KERNELS(float, 4, 32, float_half)
THETA_KERNELS(bf16, 4, 32, bf16_half)
THETA_KERNELS(float, 8, 32, float_warp)
THETA_KERNELS(bf16, 8, 32, bf16_warp)
THETA_KERNELS(float, 2, 256, float_pair)
THETA_KERNELS(bf16, 2, 256, bf16_pair)
THETA_KERNELS(float, 4, 256, float_block)
THETA_KERNELS(bf16, 4, 256, bf16_block)

/** Every Θ, any number of columns, anywhere: one block a row, which reads its row once for each sum. Grid (rows, groups). */
template <class T>
__device__ __forceinline__ void thetaAnyRow(const T* scores, T* gradient, T* weights, i64 stride, const ThetaGroups& groups,
                                            int mode, int isTanh, float epsilon, bool isBackward) {
  __shared__ float buffer[32];
  const int group = blockIdx.y;
  const i64 place = blockIdx.x * stride + groups.start[group];
  const int length = groups.length[group];
  const float tau = groups.tau[group];
  const T* s = scores + place;
  T* d = isBackward ? gradient + place : nullptr;
  T* a = weights == nullptr ? nullptr : weights + place;
  float first = 0.0f;  // Σ S², Σ G², or the softmax' sum
  float largest = 0.0f;
  if (mode == THETA_SOFTMAX) {
    largest = -3.0e38f;
    for (int i = threadIdx.x; i < length; i += blockDim.x) largest = fmaxf(largest, toFloat(s[i]));
    largest = blockMax(largest, buffer);
  }
  for (int i = threadIdx.x; i < length; i += blockDim.x) {
    const float x = toFloat(s[i]);
    const float y = mode == THETA_GELU_L2_NORM ? geluOf(x, isTanh) : x;
    first += mode == THETA_SOFTMAX ? expf(x - largest) : y * y;
  }
  first = blockSum(first, buffer);
  const float norm = sqrtf(first);
  const float factor = mode == THETA_SOFTMAX ? 1.0f / first : mode == THETA_GELU ? 1.0f : l2Factor(tau, norm, epsilon);
  float dot = 0.0f;
  if (isBackward && mode != THETA_GELU) {
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
      const float x = toFloat(s[i]);
      const float dA = toFloat(d[i]);
      if (mode == THETA_L2_NORM_GELU) dot += x * dA * geluSlope(x * factor, isTanh);
      else if (mode == THETA_GELU_L2_NORM) dot += geluOf(x, isTanh) * dA;
      else dot += expf(x - largest) * factor * dA;
    }
    dot = blockSum(dot, buffer);
  }
  const float along = mode == THETA_SOFTMAX ? dot : l2Along(factor, dot, norm, epsilon);
  for (int i = threadIdx.x; i < length; i += blockDim.x) {
    const float x = toFloat(s[i]);
    const float dA = isBackward ? toFloat(d[i]) : 0.0f;
    float weight;
    float dS;
    if (mode == THETA_L2_NORM_GELU) {
      weight = geluOf(x * factor, isTanh);
      dS = isBackward ? factor * dA * geluSlope(x * factor, isTanh) - x * along : 0.0f;
    } else if (mode == THETA_GELU_L2_NORM) {
      const float g = geluOf(x, isTanh);
      weight = g * factor;
      dS = isBackward ? (factor * dA - g * along) * geluSlope(x, isTanh) : 0.0f;
    } else if (mode == THETA_SOFTMAX) {
      weight = tau * expf(x - largest) * factor;
      dS = weight * (dA - along);
    } else {
      weight = geluOf(x, isTanh);
      dS = isBackward ? dA * geluSlope(x, isTanh) : 0.0f;
    }
    if (isBackward) d[i] = fromFloat<T>(dS);
    if (a != nullptr) a[i] = fromFloat<T>(weight);
  }
}

#define THETA_ANY_KERNELS(T, name)                                                                              \
  KERNEL __launch_bounds__(256) theta_forward_##name(const T* scores, T* weights, int rows, i64 stride,         \
                                                     ThetaGroups groups, int mode, int isTanh, float epsilon) { \
    thetaAnyRow<T>(scores, nullptr, weights, stride, groups, mode, isTanh, epsilon, false);                     \
  }                                                                                                             \
  KERNEL __launch_bounds__(256) theta_backward_##name(const T* scores, T* gradient, T* weights, int rows,       \
                                                      i64 stride, ThetaGroups groups, int mode, int isTanh,     \
                                                      float epsilon) {                                          \
    thetaAnyRow<T>(scores, gradient, weights, stride, groups, mode, isTanh, epsilon, true);                     \
  }

THETA_ANY_KERNELS(float, float_any)
THETA_ANY_KERNELS(bf16, bf16_any)
