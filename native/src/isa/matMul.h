/** Matrix products of tensors: what the threads share, and when a factor is packed. */
#pragma once
#include "../kernels.h"
#include "product.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Packed floats of B at a time, at most: 16 MiB. */
constexpr long kPackedFloats = 4L << 20;
/** Multiply-adds of a product above which all threads work on one product. */
constexpr long kSharedWork = 1L << 20;

/** C = A B for a packed B [k, n], by all threads; each has kLeftScratch floats reserved. */
static void multiplyPacked(Left a, const float* packed, long n, long k, float* c, long ldc, long m) {
  const long rows = 4 * MR;
  const long rowBlocks = (m + rows - 1) / rows;
  // As many columns per task as leave enough tasks.
  const long wanted = most<long>(1, 8 * threadCount() / most(rowBlocks, 1L));
  const long columns = most<long>(2 * NR, roundUp((n + wanted - 1) / wanted, NR));
  const long columnBlocks = (n + columns - 1) / columns;
  parallel(rowBlocks * columnBlocks, [&](long task, int thread) {
    const long i = task / columnBlocks * rows;
    const long j = task % columnBlocks * columns;
    const Left part{a.at + (a.transposed ? i : i * a.stride), a.stride, a.transposed};
    multiply(part, packed, n, k, c + i * ldc, ldc, least(rows, m - i), false, j, least(j + columns, n),
             threadScratch(thread));
  });
}

/** One product, by all threads; scratch is reserved. */
static void multiplyShared(const Product& f, const float* a, const float* b, float* c) {
  const long columnsAtOnce = most<long>(NR, least(roundUp(f.n, NR), kPackedFloats / most(f.k, 1L) / NR * NR));
  const Left left{a, f.transposeA ? f.m : f.k, f.transposeA};
  float* packed = sharedScratch();
  for (long jc = 0; jc < f.n; jc += columnsAtOnce) {
    const long n = least(columnsAtOnce, f.n - jc);
    const float* right = f.transposeB ? b + jc * f.k : b + jc;
    const long ldb = f.transposeB ? f.k : f.n;
    const Packing columns{right, ldb, f.transposeB, f.k, n, packed};
    packAll(&columns, 1);
    multiplyPacked(left, packed, n, f.k, c + jc, f.n, f.m);
  }
}

static void matMul(const Product& f) {
  if (f.batch == 0 || f.m == 0 || f.n == 0) return;
  const bool thin = f.m <= kThinRows && !f.transposeA;
  if (thin) {
    const long columns = most<long>(NR, roundUp((1L << 16) / most(f.k, 1L), NR));
    const long blocks = (f.n + columns - 1) / columns;
    parallel(f.batch * blocks, [&](long task, int) {
      const long i = task / blocks;
      const long j = task % blocks * columns;
      multiplyThin(f.a + i * f.strideA, f.k, f.b + i * f.strideB, f.transposeB ? f.k : f.n, f.transposeB, f.k,
                   f.c + i * f.m * f.n, f.n, f.m, false, j, least(j + columns, f.n));
    });
    return;
  }
  const long packed = packedSize(f.k, f.n);
  if (f.batch == 1 || (f.m * f.n * f.k > kSharedWork && f.batch < 2 * threadCount()) || packed > kPackedFloats) {
    reserveScratch(kLeftScratch, least(packed, most(kPackedFloats, f.k * NR)));
    for (long i = 0; i < f.batch; i++) {
      multiplyShared(f, f.a + i * f.strideA, f.b + i * f.strideB, f.c + i * f.m * f.n);
    }
    return;
  }
  reserveScratch(kLeftScratch + packed, 0);
  // Small products by the handful, so that a task is worth handing out.
  const long each = most<long>(1, (1L << 16) / most(f.m * f.n * f.k, 1L));
  parallel((f.batch + each - 1) / each, [&](long task, int thread) {
    float* scratch = threadScratch(thread);
    for (long i = task * each; i < least((task + 1) * each, f.batch); i++) {
      pack(f.b + i * f.strideB, f.transposeB ? f.k : f.n, f.transposeB, f.k, f.n, scratch + kLeftScratch);
      const Left left{f.a + i * f.strideA, f.transposeA ? f.m : f.k, f.transposeA};
      multiply(left, scratch + kLeftScratch, f.n, f.k, f.c + i * f.m * f.n, f.n, f.m, false, scratch);
    }
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
