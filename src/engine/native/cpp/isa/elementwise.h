/** Element-wise kernels, those that only move numbers, and rotary positions. */
#pragma once
#include "../kernels.h"
#include "rows.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Runs f(i, lanes) for every vector of [0, count), in pieces shared among the threads. */
template <class F>
INLINE void eachPiece(long count, const F& f) {
  parallel((count + kTaskNumbers - 1) / kTaskNumbers, [&](long task, int) {
    const long from = task * kTaskNumbers;
    eachVector(min(kTaskNumbers, count - from), [&](long i, auto lanes) { f(from + i, lanes); });
  });
}

template <class F>
INLINE void mapPieces(const float* x, float* out, long count, const F& f) {
  eachPiece(count, [&](long i, auto lanes) { store(out + i, f(load(x + i, lanes)), lanes); });
}

INLINE V absolute(V x) { return reinterpret_cast<V>(reinterpret_cast<VU>(x) & 0x7fffffffu); }

/** 1 above 0, `below` elsewhere; NaN stays. */
INLINE V stepFrom(float below, V x) { return x > 0.0f ? splat(1) : (x == x ? splat(below) : x); }

static void unary(UnaryOp op, const float* x, float* out, long count) {
  switch (op) {
    case UnaryOp::square: return mapPieces(x, out, count, [](V v) { return v * v; });
    case UnaryOp::sqrt: return mapPieces(x, out, count, [](V v) { return squareRoot(v); });
    case UnaryOp::rsqrt: return mapPieces(x, out, count, [](V v) { return 1.0f / squareRoot(v); });
    case UnaryOp::exp: return mapPieces(x, out, count, [](V v) { return exponential(v); });
    case UnaryOp::erf: return mapPieces(x, out, count, [](V v) { return errorFunction(v); });
    case UnaryOp::tanh: return mapPieces(x, out, count, [](V v) { return hyperbolicTangent(v); });
    case UnaryOp::negate: return mapPieces(x, out, count, [](V v) { return -v; });
    case UnaryOp::absolute: return mapPieces(x, out, count, [](V v) { return absolute(v); });
    case UnaryOp::relu: return mapPieces(x, out, count, [](V v) { return v < 0.0f ? V{} : v; });
    case UnaryOp::sigmoid: return mapPieces(x, out, count, [](V v) { return 1.0f / (1.0f + exponential(-v)); });
    case UnaryOp::reciprocal: return mapPieces(x, out, count, [](V v) { return 1.0f / v; });
    case UnaryOp::log: return mapPieces(x, out, count, [](V v) { return logarithm(v); });
    case UnaryOp::log1p: return mapPieces(x, out, count, [](V v) { return logarithmOfOnePlus(v); });
    case UnaryOp::step: return mapPieces(x, out, count, [](V v) { return stepFrom(0, v); });
    case UnaryOp::stepToMinusOne: return mapPieces(x, out, count, [](V v) { return stepFrom(-1, v); });
    case UnaryOp::count: return;
  }
}

/** NaN in either operand is kept, as JavaScript's Math.max and Math.min keep it. */
INLINE V maximum(V a, V b) { return a > b ? a : (b != b ? b : (a != a ? a : b)); }
INLINE V minimum(V a, V b) { return a < b ? a : (b != b ? b : (a != a ? a : b)); }

/** f of the whole numbers whose bits the vectors hold, signed as N is. */
template <class N, class F>
INLINE V ofBits(V a, V b, const F& f) { return reinterpret_cast<V>(f(reinterpret_cast<N>(a), reinterpret_cast<N>(b))); }

template <class F>
INLINE void combine(const Binary& g, const F& f) {
  const int last = g.rank - 1;
  const long width = g.shape[last];
  long rows = 1;
  for (int axis = 0; axis < last; axis++) rows *= g.shape[axis];
  const long stepA = g.strideA[last];
  const long stepB = g.strideB[last];
  // A row that is long is cut, short ones go together.
  const long piece = min(width, kTaskNumbers);
  const long pieces = (width + piece - 1) / piece;
  const long each = max<long>(1, kTaskNumbers / piece);
  parallel((rows * pieces + each - 1) / each, [&](long task, int) {
    for (long unit = task * each; unit < min((task + 1) * each, rows * pieces); unit++) {
      const long row = unit / pieces;
      const long from = unit % pieces * piece;
      long placeA = from * stepA;
      long placeB = from * stepB;
      long rest = row;
      for (int axis = last - 1; axis >= 0; axis--) {
        placeA += rest % g.shape[axis] * g.strideA[axis];
        placeB += rest % g.shape[axis] * g.strideB[axis];
        rest /= g.shape[axis];
      }
      const float* a = g.a + placeA;
      const float* b = g.b + placeB;
      float* out = g.out + row * width + from;
      const long count = min(piece, width - from);
      if (stepA == 1 && stepB == 1) {
        eachVector(count, [&](long i, auto lanes) { store(out + i, f(load(a + i, lanes), load(b + i, lanes)), lanes); });
      } else if (stepA == 1) {
        const V y = splat(*b);
        eachVector(count, [&](long i, auto lanes) { store(out + i, f(load(a + i, lanes), y), lanes); });
      } else if (stepB == 1) {
        const V x = splat(*a);
        eachVector(count, [&](long i, auto lanes) { store(out + i, f(x, load(b + i, lanes)), lanes); });
      } else {
        const V value = f(splat(*a), splat(*b));
        eachVector(count, [&](long i, auto lanes) { store(out + i, value, lanes); });
      }
    }
  });
}

static void binary(const Binary& g) {
  switch (g.op) {
    case BinaryOp::add: return combine(g, [](V a, V b) { return a + b; });
    case BinaryOp::subtract: return combine(g, [](V a, V b) { return a - b; });
    case BinaryOp::multiply: return combine(g, [](V a, V b) { return a * b; });
    case BinaryOp::divide: return combine(g, [](V a, V b) { return a / b; });
    case BinaryOp::maximum: return combine(g, [](V a, V b) { return maximum(a, b); });
    case BinaryOp::minimum: return combine(g, [](V a, V b) { return minimum(a, b); });
    case BinaryOp::squaredDifference: return combine(g, [](V a, V b) { return (a - b) * (a - b); });
    case BinaryOp::addInt:
      return combine(g, [](V a, V b) { return ofBits<VU>(a, b, [](VU x, VU y) { return x + y; }); });
    case BinaryOp::subtractInt:
      return combine(g, [](V a, V b) { return ofBits<VU>(a, b, [](VU x, VU y) { return x - y; }); });
    case BinaryOp::maximumInt:
      return combine(g, [](V a, V b) { return ofBits<VI>(a, b, [](VI x, VI y) { return x > y ? x : y; }); });
    case BinaryOp::minimumInt:
      return combine(g, [](V a, V b) { return ofBits<VI>(a, b, [](VI x, VI y) { return x < y ? x : y; }); });
    case BinaryOp::count: return;
  }
}

static void rotary(const float* x, float* out, const float* cosines, const float* sines, long batch, long seqLen,
                   long numHeads, long headDim, long half) {
  const long width = numHeads * headDim;
  eachRow(batch * seqLen, width, [&](long row) {
    const long place = row % seqLen * half;
    rotateRow(x + row * width, out + row * width, cosines + place, sines + place, numHeads, headDim, half);
  });
}

static void swapAxes(const float* x, float* out, long batch, long rows, long columns, long width) {
  if (width > 1) {
    eachRow(batch * columns, rows * width, [&](long task) {
      const long b = task / columns;
      const long column = task % columns;
      for (long r = 0; r < rows; r++) {
        __builtin_memcpy(out + (task * rows + r) * width, x + ((b * rows + r) * columns + column) * width,
                         static_cast<size_t>(width) * 4);
      }
    });
    return;
  }
  // Squares of a few cache lines, so that reads and writes both use whole lines.
  constexpr long side = 32;
  const long down = (rows + side - 1) / side;
  const long across = (columns + side - 1) / side;
  eachRow(batch * down, columns * side, [&](long task) {
    const float* from = x + task / down * rows * columns;
    float* to = out + task / down * rows * columns;
    const long r0 = task % down * side;
    const long r1 = min(r0 + side, rows);
    for (long block = 0; block < across; block++) {
      const long c1 = min((block + 1) * side, columns);
      for (long c = block * side; c < c1; c++) {
        for (long r = r0; r < r1; r++) to[c * rows + r] = from[r * columns + c];
      }
    }
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
