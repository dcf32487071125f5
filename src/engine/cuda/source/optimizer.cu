#include "device.cuh"

/** AdamW and the squared norm over many tensors in one launch: grid (blocks for each tensor, tensors), 256 threads. */

struct AdamWTensors {
  float* param[96];
  const float* gradient[96];
  float* m[96];
  float* v[96];
};
struct AdamWSizes {
  int count[96];
  /** 1 − learning rate · weight decay. */
  float decay[96];
};

__device__ __forceinline__ void adamWNumber(float& p, float gradient, float& m, float& v, float decay, float gradientScale,
                                            float beta1, float rest1, float beta2, float rest2, float rate,
                                            float correction, float epsilon) {
  const float g = gradient * gradientScale;
  m = m * beta1 + g * rest1;
  v = v * beta2 + g * g * rest2;
  p = p * decay - rate * (m / (sqrtf(v / correction) + epsilon));
}

/**
 * m = β₁ m + (1 − β₁) g, v = β₂ v + (1 − β₂) g², p = decay · p − rate · m / (√(v / correction) + ε), all in place; `rate` is the learning
 * rate over 1 − β₁^step, `correction` is 1 − β₂^step.
 */
KERNEL __launch_bounds__(256) adam_w(AdamWTensors tensors, AdamWSizes sizes, float gradientScale, float beta1, float rest1,
                                     float beta2, float rest2, float rate, float correction, float epsilon) {
  const int tensor = blockIdx.y;
  float* param = tensors.param[tensor];
  const float* gradient = tensors.gradient[tensor];
  float* m = tensors.m[tensor];
  float* v = tensors.v[tensor];
  const int count = sizes.count[tensor];
  const float decay = sizes.decay[tensor];
  const int step = gridDim.x * blockDim.x;
  const int first = blockIdx.x * blockDim.x + threadIdx.x;
  const bool isAligned = ((((u64)param) | ((u64)gradient) | ((u64)m) | ((u64)v)) & 15) == 0;
  const int vectors = isAligned ? count / 4 : 0;
  for (int i = first; i < vectors; i += step) {
    float4 p4 = load4(param + 4 * (i64)i);
    float4 m4 = load4(m + 4 * (i64)i);
    float4 v4 = load4(v + 4 * (i64)i);
    const float4 g4 = load4(gradient + 4 * (i64)i);
    adamWNumber(p4.x, g4.x, m4.x, v4.x, decay, gradientScale, beta1, rest1, beta2, rest2, rate, correction, epsilon);
    adamWNumber(p4.y, g4.y, m4.y, v4.y, decay, gradientScale, beta1, rest1, beta2, rest2, rate, correction, epsilon);
    adamWNumber(p4.z, g4.z, m4.z, v4.z, decay, gradientScale, beta1, rest1, beta2, rest2, rate, correction, epsilon);
    adamWNumber(p4.w, g4.w, m4.w, v4.w, decay, gradientScale, beta1, rest1, beta2, rest2, rate, correction, epsilon);
    store4(param + 4 * (i64)i, p4);
    store4(m + 4 * (i64)i, m4);
    store4(v + 4 * (i64)i, v4);
  }
  for (i64 i = 4 * (i64)vectors + first; i < count; i += step)
    adamWNumber(param[i], gradient[i], m[i], v[i], decay, gradientScale, beta1, rest1, beta2, rest2, rate, correction,
                epsilon);
}

struct NormTensors {
  const float* x[192];
};
struct NormSizes {
  int count[192];
};

/** The sum over a block in double; the sum is right in the first thread. */
__device__ __forceinline__ double blockSumOfDoubles(double x, double* buffer) {
  buffer[threadIdx.x] = x;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half >>= 1) {
    if (threadIdx.x < half) buffer[threadIdx.x] += buffer[threadIdx.x + half];
    __syncthreads();
  }
  return buffer[0];
}

/** partial[firstPartial + tensor · gridDim.x + block] = Σ x² of this block's numbers. */
KERNEL __launch_bounds__(256) squared_norm_parts(NormTensors tensors, NormSizes sizes, double* partial, int firstPartial) {
  __shared__ double buffer[256];
  const float* x = tensors.x[blockIdx.y];
  const int count = sizes.count[blockIdx.y];
  const int step = gridDim.x * blockDim.x;
  const int first = blockIdx.x * blockDim.x + threadIdx.x;
  double sum = 0.0;
  const int vectors = (((u64)x) & 15) == 0 ? count / 4 : 0;
  for (int i = first; i < vectors; i += step) {
    const float4 v = load4(x + 4 * (i64)i);
    sum += (double)v.x * v.x + (double)v.y * v.y + (double)v.z * v.z + (double)v.w * v.w;
  }
  for (i64 i = 4 * (i64)vectors + first; i < count; i += step) sum += (double)x[i] * x[i];
  sum = blockSumOfDoubles(sum, buffer);
  if (threadIdx.x == 0) partial[firstPartial + blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

/** The sum of the parts, in one block. */
KERNEL __launch_bounds__(256) squared_norm_sum(const double* partial, int count, float* result) {
  __shared__ double buffer[256];
  double sum = 0.0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
  sum = blockSumOfDoubles(sum, buffer);
  if (threadIdx.x == 0) *result = (float)sum;
}
