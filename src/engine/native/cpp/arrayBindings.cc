#include <cstring>

#include "bindings.h"
#include "threadPool.h"

namespace tokenfuse {
namespace {

void unary(Arguments& in, const Kernels& kernels) {
  const long op = in.size("operation", static_cast<long>(UnaryOp::count) - 1);
  const long count = in.size("count");
  const float* x = in.floats("x", count);
  float* output = in.floats("output", count);
  in.end();
  kernels.unary(static_cast<UnaryOp>(op), x, output, count);
}

void binary(Arguments& in, const Kernels& kernels) {
  Binary g{};
  g.op = static_cast<BinaryOp>(in.size("operation", static_cast<long>(BinaryOp::count) - 1));
  g.rank = static_cast<int>(in.size("rank", kMaxRank));
  if (g.rank == 0) throw std::invalid_argument("native kernel, rank: expected at least 1, got 0");
  long count = 1, lastA = 0, lastB = 0;
  for (int axis = 0; axis < g.rank; axis++) {
    g.shape[axis] = in.size("size");
    g.strideA[axis] = in.size("stride of a");
    g.strideB[axis] = in.size("stride of b");
    count = product({count, g.shape[axis]});
    if (g.shape[axis] > 0) {
      lastA += product({g.shape[axis] - 1, g.strideA[axis]});
      lastB += product({g.shape[axis] - 1, g.strideB[axis]});
    }
  }
  if (g.strideA[g.rank - 1] > 1 || g.strideB[g.rank - 1] > 1) {
    throw std::invalid_argument("native kernel, last stride: expected 0 or 1, got more");
  }
  const bool whole = g.op >= BinaryOp::addInt;
  const auto numbers = [&](const char* name, long size) {
    return whole ? reinterpret_cast<float*>(in.ints(name, size)) : in.floats(name, size);
  };
  g.a = numbers("a", count == 0 ? 0 : lastA + 1);
  g.b = numbers("b", count == 0 ? 0 : lastB + 1);
  g.out = numbers("output", count);
  in.end();
  if (count > 0) kernels.binary(g);
}

void softmax(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long width = in.size("width");
  const float* x = in.floats("x", product({rows, width}));
  float* output = in.floats("output", product({rows, width}));
  in.end();
  if (width > 0) kernels.softmax(x, output, rows, width);
}

void argMax(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long width = in.size("width", INT32_MAX);
  if (width == 0) throw std::invalid_argument("native kernel, width: expected at least 1, got 0");
  const float* x = in.floats("x", product({rows, width}));
  int32_t* output = in.ints("output", rows);
  in.end();
  kernels.argMax(x, output, rows, width);
}

void sumRows(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long width = in.size("width");
  const float factor = in.number("factor");
  const float* x = in.floats("x", product({rows, width}));
  float* output = in.floats("output", rows);
  in.end();
  kernels.sumRows(x, output, rows, width, factor);
}

void sumColumns(Arguments& in, const Kernels& kernels) {
  const long outer = in.size("outer");
  const long rows = in.size("rows");
  const long width = in.size("width");
  const float factor = in.number("factor");
  const float* x = in.floats("x", product({outer, rows, width}));
  float* output = in.floats("output", product({outer, width}));
  in.end();
  if (width > 0) kernels.sumColumns(x, output, outer, rows, width, factor);
}

void segmentSum(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long width = in.size("width");
  const long segments = in.size("numSegments");
  const float* x = in.floats("x", product({rows, width}));
  const int32_t* ids = in.ints("segmentIds", rows);
  float* output = in.floats("output", product({segments, width}));
  in.end();
  if (width > 0) kernels.segmentSum(x, ids, output, rows, width, segments);
}

void swapAxes(Arguments& in, const Kernels& kernels) {
  const long batch = in.size("batch");
  const long rows = in.size("rows");
  const long columns = in.size("columns");
  const long width = in.size("width");
  const long count = product({batch, rows, columns, width});
  const float* x = in.words("x", count);
  float* output = in.words("output", count);
  in.end();
  if (count > 0) kernels.swapAxes(x, output, batch, rows, columns, width);
}

/** Copies `rows` runs of `width` bytes, the runs at equal distances in both arrays. */
void copyRows(Arguments& in, const Kernels&) {
  const long rows = in.size("rows");
  const long width = in.size("width");
  const long fromStart = in.size("fromStart");
  const long fromStride = in.size("fromStride");
  const long toStart = in.size("toStart");
  const long toStride = in.size("toStride");
  const bool any = rows > 0 && width > 0;
  if (any && rows > 1 && toStride == 0) {
    throw std::invalid_argument("native kernel, toStride: expected at least 1, got 0");
  }
  const long fromEnd = any ? fromStart + product({rows - 1, fromStride}) + width : 0;
  const long toEnd = any ? toStart + product({rows - 1, toStride}) + width : 0;
  const uint8_t* from = in.bytes("from", fromEnd);
  uint8_t* to = in.bytes("to", toEnd);
  in.end();
  for (long i = 0; any && i < rows; i++) {
    std::memcpy(to + toStart + i * toStride, from + fromStart + i * fromStride, static_cast<size_t>(width));
  }
}

/**
 * Rows of sequences with and without the padding behind them: `padded` has `seqLen` for each sequence, of which the first
 * lengths[sequence] count; `packed` has those alone, one sequence after the other.
 */
struct RaggedRows {
  long batch, seqLen, width;
  const int32_t* lengths;
  float* padded;
  float* packed;

  explicit RaggedRows(Arguments& in) {
    batch = in.size("batch");
    seqLen = in.size("seqLen");
    width = in.size("width");
    lengths = in.ints("lengths", batch);
    long rows = 0;
    for (long b = 0; b < batch; b++) {
      if (lengths[b] < 0 || lengths[b] > seqLen) {
        throw std::invalid_argument("native kernel, lengths: expected in [0, " + std::to_string(seqLen) + "], got " +
                                    std::to_string(lengths[b]));
      }
      rows += lengths[b];
    }
    padded = in.floats("padded", product({batch, seqLen, width}));
    packed = in.floats("packed", product({rows, width}));
    in.end();
  }

  /** Calls `move(rows of padded, rows of packed, numbers that count, numbers of padding behind them)` for each sequence. */
  template <typename Move>
  void each(Move move) const {
    float* rows = packed;
    for (long b = 0; b < batch; b++) {
      const long count = lengths[b] * width;
      move(padded + b * seqLen * width, rows, static_cast<size_t>(count),
           static_cast<size_t>(seqLen * width - count));
      rows += count;
    }
  }
};

/** packed ← the rows of padded that count. */
void packRows(Arguments& in, const Kernels&) {
  RaggedRows(in).each([](float* padded, float* packed, size_t count, size_t) {
    std::memcpy(packed, padded, count * sizeof(float));
  });
}

/** padded ← packed, with zeros for padding. */
void unpackRows(Arguments& in, const Kernels&) {
  RaggedRows(in).each([](float* padded, float* packed, size_t count, size_t padding) {
    std::memcpy(padded, packed, count * sizeof(float));
    std::memset(padded + count, 0, padding * sizeof(float));
  });
}

/** Copies runs of `width` bytes by index: output[block, i] = x[block, indices[group of block, i]]. */
void gatherRows(Arguments& in, const Kernels&) {
  const long blocks = in.size("blocks");
  const long blocksPerGroup = in.size("blocksPerGroup");
  const long count = in.size("count");
  const long rows = in.size("rows");
  const long width = in.size("width");
  if (blocksPerGroup == 0) throw std::invalid_argument("native kernel, blocksPerGroup: expected at least 1, got 0");
  const uint8_t* x = in.bytes("x", product({blocks, rows, width}));
  const int32_t* indices = in.ints("indices", product({(blocks + blocksPerGroup - 1) / blocksPerGroup, count}));
  uint8_t* output = in.bytes("output", product({blocks, count, width}));
  in.end();
  if (count == 0) return;
  // Runs of no bytes: the indices of a group are looked at once.
  for (long block = 0; block < blocks; block += width > 0 ? 1 : blocksPerGroup) {
    const int32_t* places = indices + block / blocksPerGroup * count;
    for (long i = 0; i < count; i++) {
      const long place = places[i];
      if (place < 0 || place >= rows) {
        throw std::invalid_argument("GatherV2: expected indices in [0, " + std::to_string(rows) + "), got " +
                                    std::to_string(place) + " at place " + std::to_string(i));
      }
      std::memcpy(output + (block * count + i) * width, x + (block * rows + place) * width,
                  static_cast<size_t>(width));
    }
  }
}

}  // namespace

const Binding arrayBindings[] = {
    {"unary", unary},           {"binary", binary},         {"softmax", softmax},   {"argMax", argMax},     {"sumRows", sumRows},
    {"sumColumns", sumColumns}, {"segmentSum", segmentSum}, {"swapAxes", swapAxes}, {"copyRows", copyRows},
    {"gatherRows", gatherRows}, {"packRows", packRows},     {"unpackRows", unpackRows}, {nullptr, nullptr},
};

}  // namespace tokenfuse
