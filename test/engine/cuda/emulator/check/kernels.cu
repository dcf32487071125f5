/** Kernels that check.cc runs; behind device.cuh in one source. */

KERNEL check_indices(int* out, int width, float scale, i64 offset) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  out[y * width + x] = (int)(scale * (float)(y * 100 + x)) + (int)offset;
}

/** D [16, 8] = A [16, 16] B [16, 8], row-major in float32; B's register pair by hand. */
KERNEL check_mma_bf16(float* out, const float* a, const float* b) {
  const int group = threadIdx.x / 4, pair = threadIdx.x % 4;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  const auto pairOfA = [&](int row, int k) { return packBf16(a[row * 16 + k], a[row * 16 + k + 1]); };
  const u32 operands[4] = {pairOfA(group, 2 * pair), pairOfA(group + 8, 2 * pair), pairOfA(group, 2 * pair + 8),
                           pairOfA(group + 8, 2 * pair + 8)};
  const auto pairOfB = [&](int k) { return packBf16(b[k * 8 + group], b[(k + 1) * 8 + group]); };
  mmaBf16(d, operands, pairOfB(2 * pair), pairOfB(2 * pair + 8));
  for (int i = 0; i < 4; i++) out[(group + 8 * (i / 2)) * 8 + 2 * pair + i % 2] = d[i];
}

/** D [16, 8] = A [16, 8] B [8, 8]. */
KERNEL check_mma_tf32(float* out, const float* a, const float* b) {
  const int group = threadIdx.x / 4, k = threadIdx.x % 4;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  const u32 operands[4] = {toTf32(a[group * 8 + k]), toTf32(a[(group + 8) * 8 + k]), toTf32(a[group * 8 + k + 4]),
                           toTf32(a[(group + 8) * 8 + k + 4])};
  mmaTf32(d, operands, toTf32(b[k * 8 + group]), toTf32(b[(k + 4) * 8 + group]));
  for (int i = 0; i < 4; i++) out[(group + 8 * (i / 2)) * 8 + 2 * k + i % 2] = d[i];
}

/** The same as check_mma_bf16, operands by way of shared memory, ldmatrix and asynchronous copies; `b` is [16, 8] row-major. */
KERNEL check_load_matrices(float* out, const bf16* a, const bf16* b) {
  bf16* sharedA = reinterpret_cast<bf16*>(sharedBytes);
  bf16* sharedB = sharedA + 16 * 16;
  const int lane = threadIdx.x;
  copyAsync16(sharedA + lane * 8, a + lane * 8, true);
  commitCopies();
  copyAsync16(sharedB + lane % 16 * 8, b + lane % 16 * 8, true);
  commitCopies();
  waitCopies<0>();
  __syncthreads();
  u32 fragment[4], columns[4];
  // Matrices: rows 0 to 7 and 8 to 15 of columns 0 to 7, then of columns 8 to 15.
  loadMatrices(fragment, sharedA + (lane % 16) * 16 + lane / 16 * 8);
  // Rows of B are k: transposed, a register holds two k of one column. Only two matrices are there; the others are the same.
  loadMatricesTransposed(columns, sharedB + (lane % 16) * 8);
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  mmaBf16(d, fragment, columns[0], columns[1]);
  for (int i = 0; i < 4; i++) out[(lane / 4 + 8 * (i / 2)) * 8 + 2 * (lane % 4) + i % 2] = d[i];
}

/** The second copy is not waited for. */
KERNEL check_missing_wait(float* out, const float* in) {
  float* shared = reinterpret_cast<float*>(sharedBytes);
  copyAsync16(shared + threadIdx.x * 4, in, true);
  commitCopies();
  copyAsync16(shared + 128 + threadIdx.x * 4, in, true);
  commitCopies();
  waitCopies<1>();
  __syncthreads();
  out[threadIdx.x] = shared[threadIdx.x * 4];
  out[32 + threadIdx.x] = shared[128 + threadIdx.x * 4];
}

KERNEL __launch_bounds__(256) check_sum(float* out, const float* in) {
  __shared__ float buffer[32];
  const float sum = blockSum(in[blockIdx.x * blockDim.x + threadIdx.x], buffer);
  const float largest = blockMax(in[blockIdx.x * blockDim.x + threadIdx.x], buffer);
  if (threadIdx.x == 0) {
    out[2 * blockIdx.x] = sum;
    out[2 * blockIdx.x + 1] = largest;
  }
}

/** Of each lane: what shuffles and votes give. */
KERNEL check_shuffles(int* out) {
  const int lane = threadIdx.x;
  out[lane] = __shfl_sync(0xffffffffu, lane * 10, 5);
  out[32 + lane] = __shfl_up_sync(0xffffffffu, lane, 3);
  out[64 + lane] = __shfl_down_sync(0xffffffffu, lane, 3);
  out[96 + lane] = __shfl_xor_sync(0xffffffffu, lane, 9);
  out[128 + lane] = (int)__ballot_sync(0xffffffffu, lane % 3 == 0);
  out[160 + lane] = __any_sync(0xffffffffu, lane == 7) + 2 * __all_sync(0xffffffffu, lane < 32);
  out[192 + lane] = __shfl_down_sync(0xffffffffu, lane, 4, 8);
  out[224 + lane] = __syncthreads_count(lane < 11) + 100 * __syncthreads_or(lane == 31) + 1000 * __syncthreads_and(lane < 31);
}

/** Threads that end do not keep the others waiting. */
KERNEL check_early_end(int* out) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

KERNEL check_deadlock(int* out) {
  if (threadIdx.x < 10) __syncthreads();
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1, 1);
}

/** Neighbours' numbers, with a barrier missing where `waits` is 0. */
KERNEL check_race(float* out, int waits) {
  __shared__ float row[64];
  row[threadIdx.x] = (float)threadIdx.x;
  if (waits) __syncthreads();
  out[threadIdx.x] = row[(threadIdx.x + 1) % 64];
}

KERNEL check_beyond(float* out, int index) { out[index] = 1.0f; }
KERNEL check_read_beyond(float* out, const float* in, int index) { out[0] = in[index]; }
KERNEL check_shared_beyond(float* out, int index) {
  reinterpret_cast<float*>(sharedBytes)[index] = 1.0f;
  out[0] = reinterpret_cast<float*>(sharedBytes)[index];
}
KERNEL check_static_beyond(float* out, int index) {
  __shared__ float row[8];
  row[index] = 1.0f;
  out[0] = row[index];
}
KERNEL check_misaligned(float* out, int index) { store4(out + index, make_float4(1.0f, 2.0f, 3.0f, 4.0f)); }

/** Shared memory that nothing wrote. */
KERNEL check_unwritten(float* out) {
  __shared__ float row[4];
  out[0] = row[1];
  out[1] = reinterpret_cast<float*>(sharedBytes)[1];
  __syncthreads();
  row[1] = reinterpret_cast<float*>(sharedBytes)[1] = 1.0f;
}

struct Numbers {
  int count;
  float scale;
  int shape[3];
};
struct Places {
  float* to[2];
};

KERNEL check_structs(Numbers numbers, Places places) {
  places.to[0][threadIdx.x] = numbers.scale * (float)numbers.shape[threadIdx.x % 3];
  places.to[1][threadIdx.x] = (float)numbers.count;
}

#define CHECK_THETA(name, T)                                                              \
  KERNEL __launch_bounds__(64) check_round_##name(T* out, const float* in, int count) {   \
    if ((int)threadIdx.x < count) out[threadIdx.x] = fromFloat<T>(in[threadIdx.x]);       \
  }
CHECK_THETA(float, float)
CHECK_THETA(bf16, bf16)

/** Built-in functions, one number each. */
KERNEL check_functions(float* out, float x) {
  out[0] = rsqrtf(x);
  out[1] = __expf(x);
  out[2] = exp2f(x);
  out[3] = __logf(x);
  out[4] = erff(x);
  out[5] = tanhf(x);
  out[6] = __fdividef(1.0f, x);
  out[7] = fmaf(x, x, 1.0f);
  out[8] = (float)__popc(0xf0f0u);
  out[9] = (float)__clz(1);
  out[10] = max(x, 3.0f) + (float)min(3, 4);
  out[11] = __uint_as_float(__float_as_uint(x));
  out[12] = __ldg(&out[11]);
  out[13] = (float)__float2int_rn(2.5f);
}

KERNEL check_atomics(int* out) {
  atomicAdd(&out[0], 1);
  atomicMax(&out[1], (int)threadIdx.x);
  atomicAdd((u32*)&out[2], 2u);
}
