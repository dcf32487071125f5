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

/** What one thread does at a time of C = or += A B for a packed B [k, n]. */
struct PackedProduct {
  Left a;
  const float* packed;
  long n, k;
  float* c;
  long ldc, m;
  bool add;
  long rows, columns, rowBlocks;

  PackedProduct(Left left, const float* right, long width, long depth, float* to, long stride, long height, bool adding)
      : a(left), packed(right), n(width), k(depth), c(to), ldc(stride), m(height), add(adding) {
    // Rows of a transposed A are copied once a task: fewer rows, where there are few, rather than fewer columns.
    const long fewer = max<long>(1, min<long>(kLeftTiles, m / (MR * 4 * threadCount())));
    rows = MR * (a.transposed ? fewer : kLeftTiles);
    rowBlocks = (m + rows - 1) / rows;
    // As many columns per task as leave enough tasks, and stay in the second-level cache.
    const long wanted = max<long>(1, 8 * threadCount() / max(rowBlocks, 1L));
    columns = min(NC, max<long>(2 * NR, roundUp((n + wanted - 1) / wanted, NR)));
  }

  long tasks() const { return rowBlocks * ((n + columns - 1) / columns); }

  /** All rows of a block of columns come before the next, so that its panels stay where they are. */
  void run(long task, int thread) const {
    const long i = task % rowBlocks * rows;
    const long j = task / rowBlocks * columns;
    const Left part{a.at + (a.transposed ? i : i * a.stride), a.stride, a.transposed};
    multiply(part, packed, n, k, c + i * ldc, ldc, min(rows, m - i), add, j, min(j + columns, n),
             threadScratch(thread));
  }
};

/** C = A B for a packed B [k, n], by all threads; each has kLeftScratch floats reserved. */
static void multiplyPacked(Left a, const float* packed, long n, long k, float* c, long ldc, long m) {
  const PackedProduct product(a, packed, n, k, c, ldc, m, false);
  parallel(product.tasks(), [&](long task, int thread) { product.run(task, thread); });
}

/** Packed floats of B above which it is gone through block of depth by block of depth: half of a second-level cache. */
constexpr long kDeepFloats = 1L << 17;

/**
 * One product, by all threads; scratch is reserved. A deep B is packed a block of depth ahead of the product, so that
 * what is being multiplied is in the second-level cache; the blocks are those of `multiply`, and so are the sums.
 */
static void multiplyShared(const Product& f, const float* a, const float* b, float* c) {
  const long columnsAtOnce = max<long>(NR, min(roundUp(f.n, NR), kPackedFloats / max(f.k, 1L) / NR * NR));
  const long lda = f.transposeA ? f.m : f.k;
  const long ldb = f.transposeB ? f.k : f.n;
  for (long jc = 0; jc < f.n; jc += columnsAtOnce) {
    const long n = min(columnsAtOnce, f.n - jc);
    const long depth = f.k * n > kDeepFloats ? blockDepth(f.k) : max(f.k, 1L);
    const auto packing = [&](long p0) {
      const float* from = b + (f.transposeB ? jc * f.k + p0 : jc + p0 * f.n);
      return Packing{from, ldb, f.transposeB, min(depth, f.k - p0), n, sharedScratch() + stepsOf(p0) * roundUp(n, NR)};
    };
    Packing current = packing(0);
    packAll(&current, 1);
    for (long p0 = 0; p0 == 0 || p0 < f.k; p0 += depth) {
      const Left left{a + (f.transposeA ? p0 * lda : p0), lda, f.transposeA};
      const PackedProduct product(left, current.packed, n, current.k, c + jc, f.n, f.m, f.add || p0 > 0);
      const bool more = p0 + depth < f.k;
      const Packing next = more ? packing(p0 + depth) : current;
      const long tasks = product.tasks();
      parallel(tasks + (more ? next.panels() : 0), [&](long task, int thread) {
        if (task < tasks) product.run(task, thread);
        else next.run(task - tasks);
      });
      current = next;
    }
  }
}

static void matMul(const Product& f) {
  if (f.batch == 0 || f.m == 0 || f.n == 0) return;
  const bool thin = f.m <= kThinRows && !f.transposeA;
  if (thin) {
    const long columns = max<long>(NR, roundUp((1L << 16) / max(f.k, 1L), NR));
    const long blocks = (f.n + columns - 1) / columns;
    parallel(f.batch * blocks, [&](long task, int) {
      const long i = task / blocks;
      const long j = task % blocks * columns;
      multiplyThin(f.a + i * f.strideA, f.k, f.b + i * f.strideB, f.transposeB ? f.k : f.n, f.transposeB, f.k,
                   f.c + i * f.m * f.n, f.n, f.m, f.add, j, min(j + columns, f.n));
    });
    return;
  }
  const long packed = packedSize(f.k, f.n);
  if (f.batch == 1 || (f.m * f.n * f.k > kSharedWork && f.batch < 2 * threadCount()) || packed > kPackedFloats) {
    reserveScratch(kLeftScratch, static_cast<size_t>(min(packed, max(kPackedFloats, f.k * NR))));
    for (long i = 0; i < f.batch; i++) {
      multiplyShared(f, f.a + i * f.strideA, f.b + i * f.strideB, f.c + i * f.m * f.n);
    }
    return;
  }
  reserveScratch(kLeftScratch + packed, 0);
  // Small products by the handful, so that a task is worth handing out.
  const long each = max<long>(1, (1L << 16) / max(f.m * f.n * f.k, 1L));
  parallel((f.batch + each - 1) / each, [&](long task, int thread) {
    float* scratch = threadScratch(thread);
    for (long i = task * each; i < min((task + 1) * each, f.batch); i++) {
      pack(f.b + i * f.strideB, f.transposeB ? f.k : f.n, f.transposeB, f.k, f.n, scratch + kLeftScratch);
      const Left left{f.a + i * f.strideA, f.transposeA ? f.m : f.k, f.transposeA};
      multiply(left, scratch + kLeftScratch, f.n, f.k, f.c + i * f.m * f.n, f.n, f.m, f.add, scratch);
    }
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
