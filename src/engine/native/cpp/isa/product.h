/**
 * C = A B, or C += A B, of float32 matrices in panels: the columns of B are packed NR at a time, tiles of MR × NR live
 * in registers. Every number of C is one chain of fused multiply-adds in the order of the depth, cut at fixed depths:
 * how rows and columns are shared among threads does not show in the result.
 *
 * With TOKENFUSE_BF16 the packed operands are bf16; what is not packed (a few rows) stays float32.
 */
#pragma once
#include "../threadPool.h"
#include "packing.h"
#if defined(__AMX_BF16__)
#include "amxTiles.h"
#endif

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Columns whose panels are gone through for all rows before the next, so that they stay in the second-level cache. */
constexpr long NC = 16 * NR;

/** Runs f(index, thread) for every index below `tasks`, on all threads. */
template <class F>
INLINE void parallel(long tasks, const F& f) {
  runTasks(
      tasks, [](void* context, long index, int thread) { (*static_cast<const F*>(context))(index, thread); },
      const_cast<F*>(&f));
}

/** Multiply-adds below which a kernel is over before another thread has woken up. */
constexpr long kLoneWork = 1L << 18;

/** `parallel`, or, for little work, one index after the other on this thread. */
template <class F>
INLINE void parallel(long tasks, long work, const F& f) {
  if (work >= kLoneWork) return parallel(tasks, f);
  for (long index = 0; index < tasks; index++) f(index, 0);
}

/** Packs several matrices at once: panels are tasks. */
struct Packing {
  const float* b;
  long ldb;
  bool transposed;
  long k, n;
  float* packed;
  long panels() const { return (n + NR - 1) / NR; }
  void run(long panel) const { packPanel(b, ldb, transposed, k, n, panel, packed); }
};

static void packAll(const Packing* jobs, int count) {
  long panels = 0;
  for (int i = 0; i < count; i++) panels += jobs[i].panels();
  parallel(panels, [&](long task, int) {
    int i = 0;
    for (; task >= jobs[i].panels(); i++) task -= jobs[i].panels();
    jobs[i].run(task);
  });
}

#if !defined(__AMX_BF16__)
/**
 * One tile of R rows: c = or += Σ_p a(i, p) b[p · NR …] over the steps. `rowMajor`: a(i, p) = a[i · as + p]; else
 * a[p · as + i].
 * `columns` of the tile are stored, more than (vectors − 1) · W.
 */
template <int R, bool rowMajor, int vectors>
static void tile(long steps, const float* a, long as, const float* b, float* c, long cs, long columns, bool add) {
  V sum[R][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) sum[i][v] = V{};
  }
  for (long p = 0; p < steps; p++) {
    V x[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) x[v] = load(b + p * NR + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < R; i++) {
      const V factor = splatStep(a + (rowMajor ? i * as + p : p * as + i));
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sum[i][v] = addStep(sum[i][v], factor, x[v]);
    }
  }
  if (columns == vectors * W) {
#pragma GCC unroll 16
    for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) {
        float* to = c + i * cs + v * W;
        store(to, add ? load(to) + sum[i][v] : sum[i][v]);
      }
    }
    return;
  }
  const Part last{columns - (vectors - 1) * W};  // the others are whole
#pragma GCC unroll 16
  for (int i = 0; i < R; i++) {
    float* to = c + i * cs;
#pragma GCC unroll 2
    for (int v = 0; v + 1 < vectors; v++) {
      store(to + v * W, add ? load(to + v * W) + sum[i][v] : sum[i][v]);
    }
    to += (vectors - 1) * W;
    const V part = sum[i][vectors - 1];
    store(to, add ? load(to, last) + part : part, last);
  }
}

typedef void (*Tile)(long, const float*, long, const float*, float*, long, long, bool);

/** tile<R, …> for the R given at run time, 1 to MR. */
template <bool rowMajor, int vectors, int R = MR>
INLINE Tile tileOf(long rows) {
  if constexpr (R == 1) {
    return tile<1, rowMajor, vectors>;
  } else {
    return rows == R ? tile<R, rowMajor, vectors> : tileOf<rowMajor, vectors, R - 1>(rows);
  }
}

/** Registers that need no setting up. */
struct TileRegisters {
  TileRegisters() {}
};

/** The tiles of columns [j0, j1) of a block of rows: C = or += A B, `steps` deep. */
INLINE void tileRow(LeftTile left, long rows, long steps, const float* b, long n, long j0, long j1, float* c, long ldc,
                    bool add) {
  const Tile wide = left.rowMajor ? tileOf<true, NV>(rows) : tileOf<false, NV>(rows);
  for (long j = j0; j < j1; j += NR) {
    const long columns = min<long>(NR, n - j);
    const Tile run = columns > W ? wide : left.rowMajor ? tileOf<true, 1>(rows) : tileOf<false, 1>(rows);
    run(steps, left.at, left.stride, b + j * steps, c + j, ldc, columns, add);
  }
}
#endif

/** The size of equal parts, of at most `limit` each, that `whole` is cut into; at least 1. */
INLINE long evenPart(long whole, long limit) {
  const long parts = (whole + limit - 1) / limit;
  return parts <= 1 ? min(limit, whole < 1 ? 1 : whole) : (whole + parts - 1) / parts;
}

/**
 * C[0 … m, panels] = or += A B for the columns [j0, j1) of packed B [k, n]; j0 a multiple of NR.
 *
 * @param scratch kLeftScratch floats, for rows of A that are rearranged
 */
static void multiply(Left a, const float* packed, long n, long k, float* c, long ldc, long m, bool add, long j0,
                     long j1, float* scratch) {
  const TileRegisters registers;
  const long width = roundUp(n, NR);
  const long depth = blockDepth(k);
  // Tiles of about the same height: one of a row or two takes nearly as long as a tall one.
  const long tall = evenPart(m, MR);
  if (k == 0 && !add) {
    for (long i = 0; i < m; i++) {
      for (long j = j0; j < j1; j++) c[i * ldc + j] = 0;
    }
  }
  for (long p0 = 0; p0 < k; p0 += depth) {
    const long kc = min(depth, k - p0);
    const long steps = stepsOf(kc);
    const bool adding = add || p0 > 0;
    const float* const b = packed + stepsOf(p0) * width;
    if (a.transposed) {
      for (long i0 = 0; i0 < m; i0 += kLeftTiles * tall) {
        const long end = min(i0 + kLeftTiles * tall, m);
        const long stride = packLeft(a, i0, end - i0, tall, p0, kc, scratch);
        for (long jc = j0; jc < j1; jc += NC) {
          for (long i = i0; i < end; i += tall) {
            const LeftTile left{scratch + (i - i0) / tall * kLeftTile, stride, false};
            tileRow(left, min(tall, end - i), steps, b, n, jc, min(jc + NC, j1), c + i * ldc, ldc, adding);
          }
        }
      }
      continue;
    }
    for (long jc = j0; jc < j1; jc += NC) {
      const long end = min(jc + NC, j1);
      for (long i = 0; i < m; i += tall) {
        const long rows = min(tall, m - i);
        const LeftTile left = leftTile(a, i, rows, p0, kc, end - jc, scratch);
        tileRow(left, rows, steps, b, n, jc, end, c + i * ldc, ldc, adding);
      }
    }
  }
}

/** All columns. */
INLINE void multiply(Left a, const float* packed, long n, long k, float* c, long ldc, long m, bool add, float* scratch) {
  multiply(a, packed, n, k, c, ldc, m, add, 0, n, scratch);
}

/** Rows of a left factor up to which packing the right one costs more than it gains. */
constexpr long kThinRows = 4;

/** C[R, width] = or += A B for P rows of a row-major B, which are read side by side in long runs. */
template <int R, int P>
INLINE void thinDepth(const float* a, long lda, const float* b, long ldb, float* c, long ldc, long width, bool add) {
  V factor[R][P];
#pragma GCC unroll 4
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 8
    for (int p = 0; p < P; p++) factor[i][p] = splat(a[i * lda + p]);
  }
  eachVector(width, [&](long j, auto lanes) {
    V sum[R];
#pragma GCC unroll 4
    for (int i = 0; i < R; i++) sum[i] = add ? load(c + i * ldc + j, lanes) : V{};
#pragma GCC unroll 8
    for (int p = 0; p < P; p++) {
      // What comes after these rows: across pages the processor does not look ahead by itself.
      __builtin_prefetch(b + (p + P) * ldb + j);
      const V x = load(b + p * ldb + j, lanes);
#pragma GCC unroll 4
      for (int i = 0; i < R; i++) sum[i] += factor[i][p] * x;
    }
#pragma GCC unroll 4
    for (int i = 0; i < R; i++) store(c + i * ldc + j, sum[i], lanes);
  });
}

/** C[R, width] = or += A B for a row-major B; every number is one chain of additions in the order of the depth. */
template <int R>
static void thinRows(const float* a, long lda, const float* b, long ldb, long k, float* c, long ldc, bool add,
                     long width) {
  constexpr int P = R <= 2 ? 8 / R : 2;
  if (k == 0 && !add) {
    for (int i = 0; i < R; i++) __builtin_memset(c + i * ldc, 0, static_cast<size_t>(width) * sizeof(float));
  }
  long p = 0;
  for (; p + P <= k; p += P) thinDepth<R, P>(a + p, lda, b + p * ldb, ldb, c, ldc, width, add || p > 0);
  for (; p < k; p++) thinDepth<R, 1>(a + p, lda, b + p * ldb, ldb, c, ldc, width, add || p > 0);
}

/** The same for B stored [n, k]: dot products with D of its rows at a time, whose chains of additions overlap. */
template <int R, int D>
static void thinColumns(const float* a, long lda, const float* b, long ldb, long k, float* c, long ldc, bool add) {
  V sum[R][D] = {};
  eachVector(k, [&](long p, auto lanes) {
    V x[R];
    for (int i = 0; i < R; i++) x[i] = load(a + i * lda + p, lanes);
    for (int j = 0; j < D; j++) {
      __builtin_prefetch(b + (j + 2 * D) * ldb + p);
      const V y = load(b + j * ldb + p, lanes);
      for (int i = 0; i < R; i++) sum[i][j] += x[i] * y;
    }
  });
  for (int i = 0; i < R; i++) {
    for (int j = 0; j < D; j++) {
      float& to = c[i * ldc + j];
      to = (add ? to : 0) + sumLanes(sum[i][j]);
    }
  }
}

template <int R>
static void multiplyThinRows(const float* a, long lda, const float* b, long ldb, bool transposed, long k, float* c,
                             long ldc, bool add, long j0, long j1) {
  long j = j0;
  if (transposed) {
    for (; j + 4 <= j1; j += 4) thinColumns<R, 4>(a, lda, b + j * ldb, ldb, k, c + j, ldc, add);
    for (; j < j1; j++) thinColumns<R, 1>(a, lda, b + j * ldb, ldb, k, c + j, ldc, add);
    return;
  }
  thinRows<R>(a, lda, b + j0, ldb, k, c + j0, ldc, add, j1 - j0);
}

/**
 * C[m, j0 … j1) = or += A B for m ≤ kThinRows rows of a row-major A, with B as it is stored: each of its numbers is
 * read once, so a product of a few rows goes at the speed of memory.
 */
static void multiplyThin(const float* a, long lda, const float* b, long ldb, bool transposed, long k, float* c,
                         long ldc, long m, bool add, long j0, long j1) {
  switch (m) {
    case 1: return multiplyThinRows<1>(a, lda, b, ldb, transposed, k, c, ldc, add, j0, j1);
    case 2: return multiplyThinRows<2>(a, lda, b, ldb, transposed, k, c, ldc, add, j0, j1);
    case 3: return multiplyThinRows<3>(a, lda, b, ldb, transposed, k, c, ldc, add, j0, j1);
    case 4: return multiplyThinRows<4>(a, lda, b, ldb, transposed, k, c, ldc, add, j0, j1);
    default: return;
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
