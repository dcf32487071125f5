/**
 * Attention of one new token of each row to a cache, float32. Keys are split into chunks that blocks take on their own, so that one row fills
 * the card; a second kernel merges the chunks in order.
 */
#pragma once

/** Keys of a chunk, none of which has keys of the context and of the cache. */
#define DECODE_KEYS 64

/** Caches are [rows, capacity, width], the context's arrays [rows, contextLen, width]; width = heads · headDim. */
struct DecodeAttentionSizes {
  int rows, heads, headDim, capacity, contextLen, length, chunks, queryRow, outRow;
  float scale;
};

/** `length`, where not null, has the number of tokens in the cache instead of the size. */
struct DecodeAttentionArrays {
  const float *query, *cacheKeys, *cacheValues, *contextKeys, *contextValues;
  const int* length;
  /** [heads]: the context has a softmax of its own, and the whole takes tanh(gate) of what that gives. Null: one softmax. */
  const float* gates;
  /** Of each row, head and chunk: the largest score, the sum, and the weighted values. */
  float* partial;
  float *out, *fromContext;
};

/** Keys or values `width` numbers at a time: 4, or 1 where they lie so. Grid (chunks, heads, rows), 128 threads. */
template <int width>
__device__ __forceinline__ void decodeChunk(const DecodeAttentionSizes& f, const DecodeAttentionArrays& a) {
  __shared__ float weights[DECODE_KEYS];
  __shared__ float buffer[32];
  float* sums = reinterpret_cast<float*>(sharedBytes);  // [groups][headDim]
  const int contextChunks = (f.contextLen + DECODE_KEYS - 1) / DECODE_KEYS;
  const int chunk = blockIdx.x;
  const bool ofContext = chunk < contextChunks;
  const int first = (ofContext ? chunk : chunk - contextChunks) * DECODE_KEYS;
  const int all = ofContext ? f.contextLen : a.length == nullptr ? f.length : *a.length;
  const int count = min(DECODE_KEYS, max(0, all - first));
  const int head = blockIdx.y;
  const int row = blockIdx.z;
  const int rowWidth = f.heads * f.headDim;
  const i64 place = ((i64)row * (ofContext ? f.contextLen : f.capacity) + first) * rowWidth + head * f.headDim;
  const float* keys = (ofContext ? a.contextKeys : a.cacheKeys) + place;
  const float* values = (ofContext ? a.contextValues : a.cacheValues) + place;
  const float* query = a.query + (i64)row * f.queryRow + head * f.headDim;
  float* partial = a.partial + (((i64)row * f.heads + head) * f.chunks + chunk) * (f.headDim + 2);
  const int lane = threadIdx.x & 31;
  const int warp = threadIdx.x >> 5;

#pragma unroll 4
  for (int j = warp; j < count; j += 4) {
    float dot = 0.0f;
    for (int d = lane * width; d < f.headDim; d += 32 * width) {
      if (width == 4) {
        const float4 x = load4(query + d), y = load4(keys + (i64)j * rowWidth + d);
        dot += x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
      } else {
        dot += query[d] * keys[(i64)j * rowWidth + d];
      }
    }
    dot = warpSum(dot);
    if (lane == 0) weights[j] = dot * (f.scale * ATTENTION_LOG2E);
  }
  __syncthreads();
  const float score = (int)threadIdx.x < count ? weights[threadIdx.x & (DECODE_KEYS - 1)] : ATTENTION_HIDDEN;
  const float largest = blockMax(score, buffer);
  const float weight = (int)threadIdx.x < count ? exp2f(score - largest) : 0.0f;
  const float sum = blockSum(weight, buffer);
  if (threadIdx.x < DECODE_KEYS) weights[threadIdx.x] = weight;
  if (threadIdx.x == 0) {
    partial[0] = largest;
    partial[1] = sum;
  }
  __syncthreads();
  // Threads side by side have neighbours of a head; where a head has fewer than threads, they share out the keys.
  const int columns = f.headDim / width;
  const int groups = max(1, 128 / columns);
  const int group = threadIdx.x / columns;
  for (int column = groups > 1 ? threadIdx.x % columns : threadIdx.x; column < columns; column += groups > 1 ? columns : 128) {
    if (group >= groups && groups > 1) break;
    float4 x = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 4
    for (int j = groups > 1 ? group : 0; j < count; j += groups) {
      const float* value = values + (i64)j * rowWidth + column * width;
      if (width == 1) {
        x.x = fmaf(weights[j], value[0], x.x);
        continue;
      }
      const float4 y = load4(value);
      x.x = fmaf(weights[j], y.x, x.x);
      x.y = fmaf(weights[j], y.y, x.y);
      x.z = fmaf(weights[j], y.z, x.z);
      x.w = fmaf(weights[j], y.w, x.w);
    }
    float* to = sums + (groups > 1 ? group : 0) * f.headDim + column * width;
    to[0] = x.x;
    if (width == 4) {
      to[1] = x.y;
      to[2] = x.z;
      to[3] = x.w;
    }
  }
  __syncthreads();
  for (int d = threadIdx.x; d < f.headDim; d += 128) {
    float x = 0.0f;
    for (int g = 0; g < groups; g++) x += sums[g * f.headDim + d];
    partial[2 + d] = x;
  }
}

KERNEL __launch_bounds__(128) attention_decode(DecodeAttentionSizes sizes, DecodeAttentionArrays arrays) {
  decodeChunk<4>(sizes, arrays);
}
KERNEL __launch_bounds__(128) attention_decode_single(DecodeAttentionSizes sizes, DecodeAttentionArrays arrays) {
  decodeChunk<1>(sizes, arrays);
}

/** What the chunks of one softmax have in common: the largest score, and one over their sum. */
struct DecodeSoftmax {
  float largest, inverse;
};

/** Of the chunks [from, to) of a row and head; by all threads of a block. */
__device__ __forceinline__ DecodeSoftmax decodeSoftmax(const float* partial, int stride, int from, int to,
                                                       float* buffer) {
  float largest = ATTENTION_HIDDEN;
  for (int c = from + threadIdx.x; c < to; c += 128) largest = fmaxf(largest, partial[(i64)c * stride]);
  largest = blockMax(largest, buffer);
  float sum = 0.0f;
  for (int c = from + threadIdx.x; c < to; c += 128) {
    sum += exp2f(partial[(i64)c * stride] - largest) * partial[(i64)c * stride + 1];
  }
  return {largest, 1.0f / blockSum(sum, buffer)};
}

/** out, and the context's part of it, from the chunks. Grid (heads, rows), 128 threads. */
KERNEL __launch_bounds__(128) attention_decode_merge(DecodeAttentionSizes f, DecodeAttentionArrays a) {
  __shared__ float buffer[32];
  const int head = blockIdx.x;
  const int row = blockIdx.y;
  const int contextChunks = (f.contextLen + DECODE_KEYS - 1) / DECODE_KEYS;
  const int stride = f.headDim + 2;
  const float* partial = a.partial + ((i64)row * f.heads + head) * f.chunks * stride;
  const bool gated = a.gates != nullptr;
  const DecodeSoftmax own = decodeSoftmax(partial, stride, gated ? contextChunks : 0, f.chunks, buffer);
  const DecodeSoftmax read = gated ? decodeSoftmax(partial, stride, 0, contextChunks, buffer) : own;
  const float share = gated ? tanhf(a.gates[head]) : 0.0f;
  for (int d = threadIdx.x; d < f.headDim; d += 128) {
    const i64 place = (i64)row * f.outRow + head * f.headDim + d;
    const auto add = [&](const DecodeSoftmax& softmax, int from, int to, float x) {
      for (int c = from; c < to; c++) {
        x = fmaf(exp2f(partial[(i64)c * stride] - softmax.largest), partial[(i64)c * stride + 2 + d], x);
      }
      return x;
    };
    const float ofContext = add(read, 0, contextChunks, 0.0f);
    if (contextChunks > 0) a.fromContext[place] = ofContext * read.inverse;
    const float x = add(own, contextChunks, f.chunks, gated ? 0.0f : ofContext) * own.inverse;
    a.out[place] = gated ? fmaf(share, ofContext * read.inverse, x) : x;
  }
}
