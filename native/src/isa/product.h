/**
 * C = A B, or C += A B, of float32 matrices in panels: the columns of B are packed NR at a time, tiles of MR × NR live
 * in registers. Every number of C is one chain of fused multiply-adds in the order of the depth, cut at fixed depths:
 * how rows and columns are shared among threads does not show in the result.
 */
#pragma once
#include "../threadPool.h"
#include "simd.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Depth of a block, at most; its tile of A stays in the first-level cache. */
constexpr long KC = 384;
/** Columns whose panels are gone through for all rows before the next, so that they stay in the second-level cache. */
constexpr long NC = 16 * NR;

/** Runs f(index, thread) for every index below `tasks`, on all threads. */
template <class F>
INLINE void parallel(long tasks, const F& f) {
  runTasks(
      tasks, [](void* context, long index, int thread) { (*static_cast<const F*>(context))(index, thread); },
      const_cast<F*>(&f));
}

/** Depth of the blocks that depth k is cut into: equal ones of at most KC. */
INLINE long blockDepth(long k) {
  const long blocks = (k + KC - 1) / KC;
  return blocks <= 1 ? k : (k + blocks - 1) / blocks;
}

/** Floats of a packed [k, n] matrix. */
INLINE long packedSize(long k, long n) { return k * roundUp(n, NR); }

/** Transposes W × W numbers: out[p · NR + j] = b[j · ldb + p]. */
INLINE void packSquare(const float* b, long ldb, float* out) {
  float square[W][W] __attribute__((aligned(64)));
  for (int j = 0; j < W; j++) {
    const V row = load(b + j * ldb);
    __builtin_memcpy(square[j], &row, sizeof(row));
  }
  for (int p = 0; p < W; p++) {
    V column;
    for (int j = 0; j < W; j++) column[j] = square[j][p];
    store(out + p * NR, column);
  }
}

/**
 * Packs panel number `panel` of B [k, n]; with `transposed`, B is stored [n, k].
 *
 * Packed: for every block of depth kc all panels, [kc, NR] each, the last one filled with zeros.
 */
static void packPanel(const float* b, long ldb, bool transposed, long k, long n, long panel, float* packed) {
  const long width = roundUp(n, NR);
  const long j0 = panel * NR;
  const long columns = least<long>(NR, n - j0);
  const long depth = blockDepth(k);
  for (long p0 = 0; p0 < k; p0 += depth) {
    const long kc = least(depth, k - p0);
    float* out = packed + p0 * width + j0 * kc;
    if (!transposed) {
      const float* from = b + p0 * ldb + j0;
      if (columns == NR) {
        for (long p = 0; p < kc; p++) {
          for (int v = 0; v < NV; v++) store(out + p * NR + v * W, load(from + p * ldb + v * W));
        }
      } else {
        for (long p = 0; p < kc; p++) {
          for (long j = 0; j < columns; j++) out[p * NR + j] = from[p * ldb + j];
          for (long j = columns; j < NR; j++) out[p * NR + j] = 0;
        }
      }
      continue;
    }
    const float* from = b + j0 * ldb + p0;
    for (long j = 0; j < NR; j += W) {
      long p = 0;
      if (j + W <= columns) {
        for (; p + W <= kc; p += W) packSquare(from + j * ldb + p, ldb, out + p * NR + j);
      }
      for (; p < kc; p++) {
        for (long lane = j; lane < j + W; lane++) out[p * NR + lane] = lane < columns ? from[lane * ldb + p] : 0;
      }
    }
  }
}

/** Packs all of B [k, n]. */
static void pack(const float* b, long ldb, bool transposed, long k, long n, float* packed) {
  for (long panel = 0; panel * NR < n; panel++) packPanel(b, ldb, transposed, k, n, panel, packed);
}

/**
 * One tile of R rows: c = or += Σ_p a(i, p) b[p · bs …]. `rowMajor`: a(i, p) = a[i · as + p]; else a[p · as + i].
 * `columns` ≤ NR of the tile are stored, and, with `direct`, loaded: B as it is, not packed.
 */
template <int R, bool rowMajor, bool direct>
static void tile(long kc, const float* a, long as, const float* b, long bs, float* c, long cs, long columns, bool add) {
  V sum[R][NV];
#pragma GCC unroll 16
  for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; v++) sum[i][v] = V{};
  }
  const bool partial = direct && columns < NR;
  const Part first{least<long>(columns, W)};
  const Part second{most<long>(columns - W, 0)};
  for (long p = 0; p < kc; p++) {
    V x[NV];
    if (partial) {
      x[0] = load(b + p * bs, first);
      x[1] = load(b + p * bs + W, second);
    } else {
      x[0] = load(b + p * bs);
      x[1] = load(b + p * bs + W);
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; i++) {
      const V factor = splat(rowMajor ? a[i * as + p] : a[p * as + i]);
#pragma GCC unroll 2
      for (int v = 0; v < NV; v++) sum[i][v] += factor * x[v];
    }
  }
  if (columns == NR) {
#pragma GCC unroll 16
    for (int i = 0; i < R; i++) {
#pragma GCC unroll 2
      for (int v = 0; v < NV; v++) {
        float* to = c + i * cs + v * W;
        store(to, add ? load(to) + sum[i][v] : sum[i][v]);
      }
    }
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; i++) {
    float* to = c + i * cs;
    store(to, add ? load(to, first) + sum[i][0] : sum[i][0], first);
    if (second.count > 0) store(to + W, add ? load(to + W, second) + sum[i][1] : sum[i][1], second);
  }
}

typedef void (*Tile)(long, const float*, long, const float*, long, float*, long, long, bool);

/** tile<R, …> for the R given at run time, 1 to MR. */
template <bool rowMajor, bool direct, int R = MR>
INLINE Tile tileOf(long rows) {
  if constexpr (R == 1) {
    return tile<1, rowMajor, direct>;
  } else {
    return rows == R ? tile<R, rowMajor, direct> : tileOf<rowMajor, direct, R - 1>(rows);
  }
}

/** A factor on the left: row-major [m, k] with row stride `stride`, or, transposed, stored [k, m]. */
struct Left {
  const float* at;
  long stride;
  bool transposed;
};

/** Rows this many floats apart share few sets of a cache: they are copied together first. */
constexpr long kFarRows = 512;

/** Floats that `multiply` needs to pack rows of a left factor. */
constexpr long kLeftScratch = MR * KC;

/**
 * C[0 … m, panels] = or += A B for the columns [j0, j1) of packed B [k, n]; j0 a multiple of NR.
 *
 * @param scratch kLeftScratch floats, for rows of A that are not close together
 */
static void multiply(Left a, const float* packed, long n, long k, float* c, long ldc, long m, bool add, long j0,
                     long j1, float* scratch) {
  const long width = roundUp(n, NR);
  const long depth = blockDepth(k);
  if (k == 0 && !add) {
    for (long i = 0; i < m; i++) {
      for (long j = j0; j < j1; j++) c[i * ldc + j] = 0;
    }
  }
  for (long p0 = 0; p0 < k; p0 += depth) {
    const long kc = least(depth, k - p0);
    const bool adding = add || p0 > 0;
    for (long jc = j0; jc < j1; jc += NC) {
      const long end = least(jc + NC, j1);
      for (long i = 0; i < m; i += MR) {
        const long rows = least<long>(MR, m - i);
        const float* left = a.at + i * a.stride + p0;
        Tile run;
        long stride = a.stride;
        if (a.transposed) {
          const float* from = a.at + p0 * a.stride + i;
          if (rows == MR) {
            for (long p = 0; p < kc; p++) {
              for (int r = 0; r < MR; r++) scratch[p * MR + r] = from[p * a.stride + r];
            }
          } else {
            for (long p = 0; p < kc; p++) {
              for (long r = 0; r < rows; r++) scratch[p * MR + r] = from[p * a.stride + r];
            }
          }
          left = scratch;
          stride = MR;
          run = tileOf<false, false>(rows);
        } else if (a.stride >= kFarRows && end - jc >= 4 * NR) {
          for (long r = 0; r < rows; r++) {
            for (long p = 0; p < kc; p++) scratch[p * MR + r] = left[r * a.stride + p];
          }
          left = scratch;
          stride = MR;
          run = tileOf<false, false>(rows);
        } else {
          run = tileOf<true, false>(rows);
        }
        for (long j = jc; j < end; j += NR) {
          const float* panel = packed + p0 * width + j * kc;
          run(kc, left, stride, panel, NR, c + i * ldc + j, ldc, least<long>(NR, n - j), adding);
        }
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

/**
 * C[m, j0 … j1) = or += A B for m ≤ kThinRows rows of a row-major A, with B as it is stored: each of its numbers is
 * read once, so a product of a few rows goes at the speed of memory.
 */
static void multiplyThin(const float* a, long lda, const float* b, long ldb, bool transposed, long k, float* c,
                         long ldc, long m, bool add, long j0, long j1) {
  if (!transposed) {
    const Tile run = tileOf<true, true>(m);
    for (long j = j0; j < j1; j += NR) run(k, a, lda, b + j, ldb, c + j, ldc, least<long>(NR, j1 - j), add);
    return;
  }
  for (long j = j0; j < j1; j++) {
    const float* column = b + j * ldb;
    V sum[kThinRows] = {};
    eachVector(k, [&](long p, auto lanes) {
      const V x = load(column + p, lanes);
      for (long i = 0; i < m; i++) sum[i] += load(a + i * lda + p, lanes) * x;
    });
    for (long i = 0; i < m; i++) {
      float& to = c[i * ldc + j];
      to = (add ? to : 0) + sumLanes(sum[i]);
    }
  }
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
