/**
 * Rotary positions, in place: with a head split into [a, b, rest], a and b of `half` dimensions, [a cos − b sin, b cos + a sin, rest]. The angle
 * of token t and dimension i is (start + t) · base^(−i/half), rounded to float32.
 */
#pragma once

/** base^(−i/half) in double, the halves of their bits apart. */
struct RotaryFrequencies {
  int low[64], high[64];
};

/** Strides count elements; `count` arrays [batch, seqLen, heads · headDim] are rotated alike. */
struct RotarySizes {
  int batch, seqLen, heads, headDim, half, start, direction, tokensOfBlock;
  int rowStride[4], batchStride[4];
};

struct RotaryArrays {
  void* x[4];
};

/** `width` neighbours at a time. */
template <class T, int width>
__device__ __forceinline__ void rotate(T* a, T* b, const float* cosines, const float* sines) {
  float x[width], y[width];
  if (width == 4) {
    const float4 p = load4(a), q = load4(b);
    x[0] = p.x, x[1 % width] = p.y, x[2 % width] = p.z, x[3 % width] = p.w;
    y[0] = q.x, y[1 % width] = q.y, y[2 % width] = q.z, y[3 % width] = q.w;
  } else {
    x[0] = toFloat(a[0]);
    y[0] = toFloat(b[0]);
  }
#pragma unroll
  for (int e = 0; e < width; e++) {
    const float first = x[e] * cosines[e] - y[e] * sines[e];
    y[e] = y[e] * cosines[e] + x[e] * sines[e];
    x[e] = first;
  }
  if (width == 4) {
    store4(a, make_float4(x[0], x[1 % width], x[2 % width], x[3 % width]));
    store4(b, make_float4(y[0], y[1 % width], y[2 % width], y[3 % width]));
  } else {
    a[0] = fromFloat<T>(x[0]);
    b[0] = fromFloat<T>(y[0]);
  }
}

/** Grid (tokens / tokensOfBlock, batch, arrays); dynamic shared memory: cosines and sines of the block's tokens. */
template <class T, int width>
__device__ __forceinline__ void rotateTokens(const RotarySizes& f, const RotaryArrays& arrays, const RotaryFrequencies& frequencies) {
  float* cosines = reinterpret_cast<float*>(sharedBytes);
  float* sines = cosines + f.tokensOfBlock * f.half;
  const int first = (int)blockIdx.x * f.tokensOfBlock;
  const int tokens = min(f.tokensOfBlock, f.seqLen - first);
  for (int place = threadIdx.x; place < tokens * f.half; place += blockDim.x) {
    const int i = place % f.half;
    const u64 bits = (u64)(u32)frequencies.high[i] << 32 | (u32)frequencies.low[i];
    const float angle = (float)((double)(f.start + first + place / f.half) * __longlong_as_double((i64)bits));
    float sine, cosine;
    sincosf(angle, &sine, &cosine);
    cosines[place] = cosine;
    sines[place] = f.direction < 0 ? -sine : sine;
  }
  __syncthreads();
  const int which = blockIdx.z;
  T* x = (T*)arrays.x[which] + (i64)blockIdx.y * f.batchStride[which] + (i64)first * f.rowStride[which];
  const int units = f.half / width;
  for (int place = threadIdx.x; place < tokens * f.heads * units; place += blockDim.x) {
    const int i = place % units * width;
    const int head = place / units % f.heads;
    const int token = place / units / f.heads;
    T* a = x + (i64)token * f.rowStride[which] + head * f.headDim + i;
    rotate<T, width>(a, a + f.half, cosines + token * f.half + i, sines + token * f.half + i);
  }
}

KERNEL __launch_bounds__(256) rotary_float(RotarySizes sizes, RotaryArrays arrays, RotaryFrequencies frequencies) {
  rotateTokens<float, 4>(sizes, arrays, frequencies);
}
KERNEL __launch_bounds__(256) rotary_bf16(RotarySizes sizes, RotaryArrays arrays, RotaryFrequencies frequencies) {
  rotateTokens<bf16, 4>(sizes, arrays, frequencies);
}
/** Where neighbours do not lie on boundaries of four. */
KERNEL __launch_bounds__(256) rotary_single_float(RotarySizes sizes, RotaryArrays arrays, RotaryFrequencies frequencies) {
  rotateTokens<float, 1>(sizes, arrays, frequencies);
}
KERNEL __launch_bounds__(256) rotary_single_bf16(RotarySizes sizes, RotaryArrays arrays, RotaryFrequencies frequencies) {
  rotateTokens<bf16, 1>(sizes, arrays, frequencies);
}
