/**
 * What all kernels share: bf16, reductions over warps and blocks, tensor-core products, asynchronous copies. Compiled by NVRTC
 * without any header of the toolkit, and by a C++ compiler where tests run the kernels on the CPU (TOKENFUSE_EMULATED, whose
 * header defines every function that is inline PTX here).
 */
#pragma once

#define KERNEL extern "C" __global__ void

typedef unsigned long long u64;
typedef long long i64;
typedef unsigned int u32;

/** Dynamic shared memory; its size is an argument of the launch. */
extern __shared__ __align__(128) unsigned char sharedBytes[];

/** The upper half of a float32's bits. */
struct bf16 {
  unsigned short bits;
};

#ifndef TOKENFUSE_EMULATED

/** Two bf16 in one register, rounded to nearest even; `low` in the lower half. */
__device__ __forceinline__ u32 packBf16(float low, float high) {
  u32 packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/** D += A B for A [16, 16], B [16, 8] in bf16, D [16, 8] in float32, in the register layout of mma.m16n8k16. */
__device__ __forceinline__ void mmaBf16(float (&d)[4], const u32 (&a)[4], const u32 b0, const u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/** D += A B for A [16, 8], B [8, 8] in tf32, D [16, 8] in float32, in the register layout of mma.m16n8k8. */
__device__ __forceinline__ void mmaTf32(float (&d)[4], const u32 (&a)[4], const u32 b0, const u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/** Rounds to tf32, to nearest. */
__device__ __forceinline__ u32 toTf32(float x) {
  u32 rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}

__device__ __forceinline__ u32 sharedAddress(const void* shared) { return (u32)__cvta_generic_to_shared(shared); }

/** Four 8 × 8 matrices of 16-bit numbers; lane i gives the address of row i % 8 of matrix i / 8. */
__device__ __forceinline__ void loadMatrices(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(row)));
}

/** The same, each matrix transposed. */
__device__ __forceinline__ void loadMatricesTransposed(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(row)));
}

/** Copies 16 bytes to shared memory without waiting; zeros where not `valid`. */
__device__ __forceinline__ void copyAsync16(void* shared, const void* global, bool valid) {
  const u32 bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(shared)), "l"(global), "r"(bytes));
}

__device__ __forceinline__ void commitCopies() { asm volatile("cp.async.commit_group;" ::); }

/** Waits until at most `pending` of the committed groups are under way. */
template <int pending>
__device__ __forceinline__ void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending));
}

/** 2^x to two units in the last place; results below 2^-126 are 0. */
__device__ __forceinline__ float exp2Approximate(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

#endif

__device__ __forceinline__ float toFloat(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
__device__ __forceinline__ float toFloat(float x) { return x; }

/** The two bf16 of a register. */
__device__ __forceinline__ float lowFloat(u32 packed) { return __uint_as_float(packed << 16); }
__device__ __forceinline__ float highFloat(u32 packed) { return __uint_as_float(packed & 0xffff0000u); }

__device__ __forceinline__ bf16 toBf16(float x) {
  bf16 result;
  result.bits = (unsigned short)(packBf16(x, 0.0f) & 0xffffu);
  return result;
}

template <class T>
__device__ __forceinline__ T fromFloat(float x);
template <>
__device__ __forceinline__ float fromFloat<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 fromFloat<bf16>(float x) {
  return toBf16(x);
}

/** Four neighbours at once: 16 bytes of float32, 8 of bf16. */
__device__ __forceinline__ float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ __forceinline__ float4 load4(const bf16* p) {
  const uint2 raw = *reinterpret_cast<const uint2*>(p);
  return make_float4(lowFloat(raw.x), highFloat(raw.x), lowFloat(raw.y), highFloat(raw.y));
}
__device__ __forceinline__ void store4(float* p, float4 x) { *reinterpret_cast<float4*>(p) = x; }
__device__ __forceinline__ void store4(bf16* p, float4 x) {
  *reinterpret_cast<uint2*>(p) = make_uint2(packBf16(x.x, x.y), packBf16(x.z, x.w));
}

__device__ __forceinline__ float warpSum(float x) {
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}

__device__ __forceinline__ float warpMax(float x) {
  for (int mask = 16; mask > 0; mask >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, mask));
  return x;
}

/** The sum over the block, in all its threads and in a fixed order; `buffer` has 32 places and may be used again at once. */
__device__ __forceinline__ float blockSum(float x, float* buffer) {
  x = warpSum(x);
  const int warps = (blockDim.x + 31) >> 5;
  __syncthreads();
  if ((threadIdx.x & 31) == 0) buffer[threadIdx.x >> 5] = x;
  __syncthreads();
  float sum = 0.0f;
  for (int i = 0; i < warps; i++) sum += buffer[i];
  return sum;
}

__device__ __forceinline__ float blockMax(float x, float* buffer) {
  x = warpMax(x);
  const int warps = (blockDim.x + 31) >> 5;
  __syncthreads();
  if ((threadIdx.x & 31) == 0) buffer[threadIdx.x >> 5] = x;
  __syncthreads();
  float largest = buffer[0];
  for (int i = 1; i < warps; i++) largest = fmaxf(largest, buffer[i]);
  return largest;
}

/** Numbers of a row that one thread holds: `COUNT` vectors of four, the vectors of a row dealt out to its threads in turn. */
template <int COUNT>
struct Held {
  float x[COUNT][4];
};

template <int COUNT, int LANES, class T>
__device__ __forceinline__ void loadHeld(Held<COUNT>& held, const T* row, int vectors, int lane) {
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const int place = lane + i * LANES;
    const float4 v = place < vectors ? load4(row + 4 * place) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    held.x[i][0] = v.x;
    held.x[i][1] = v.y;
    held.x[i][2] = v.z;
    held.x[i][3] = v.w;
  }
}

template <int COUNT, int LANES, class T>
__device__ __forceinline__ void storeHeld(const Held<COUNT>& held, T* row, int vectors, int lane) {
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    const int place = lane + i * LANES;
    if (place < vectors) store4(row + 4 * place, make_float4(held.x[i][0], held.x[i][1], held.x[i][2], held.x[i][3]));
  }
}

/** The sum over the threads of a row. */
template <int LANES>
__device__ __forceinline__ float rowSum(float x, float* buffer) {
  return LANES == 32 ? warpSum(x) : blockSum(x, buffer);
}

#define EACH(i, j, COUNT)                  \
  _Pragma("unroll") for (int i = 0; i < COUNT; i++) \
  _Pragma("unroll") for (int j = 0; j < 4; j++)
