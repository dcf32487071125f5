#include "warp.h"

#include <cstdint>
#include <cstring>

namespace emulated {
namespace {

float asFloat(Word bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

float lowBf16(Word pair) { return asFloat(pair << 16); }
float highBf16(Word pair) { return asFloat(pair & 0xffff0000u); }
/** Tensor cores look at the upper 19 bits of a tf32. */
float truncatedTf32(Word bits) { return asFloat(bits & 0xffffe000u); }

void shuffle(void* const (&operands)[LANES], Word present) {
  for (int lane = 0; lane < LANES; lane++) {
    auto* own = static_cast<Shuffle*>(operands[lane]);
    if (own == nullptr) continue;
    const bool isDefined = own->source >= 0 && own->source < LANES && (present >> own->source & 1);
    own->result = isDefined ? static_cast<Shuffle*>(operands[own->source])->value : ~0ull;
  }
}

void vote(void* const (&operands)[LANES]) {
  Word lanes = 0;
  for (int lane = 0; lane < LANES; lane++) {
    const auto* own = static_cast<Vote*>(operands[lane]);
    if (own != nullptr && own->predicate) lanes |= 1u << lane;
  }
  for (void* operand : operands) {
    if (operand != nullptr) static_cast<Vote*>(operand)->lanes = lanes;
  }
}

void match(void* const (&operands)[LANES]) {
  for (void* mine : operands) {
    if (mine == nullptr) continue;
    auto* own = static_cast<Match*>(mine);
    own->lanes = 0;
    for (int lane = 0; lane < LANES; lane++) {
      const auto* other = static_cast<Match*>(operands[lane]);
      if (other != nullptr && other->value == own->value) own->lanes |= 1u << lane;
    }
  }
}

/**
 * D [16, 8] += A [16, k] B [k, 8]. Sums in double, rounded once: a card adds in float32, in an order of its own.
 * Rows of D: lane / 4 and that plus 8; columns: 2 (lane % 4) and the next.
 */
template <int k>
void multiply(void* const (&operands)[LANES], const float (&a)[16][k], const float (&b)[k][8]) {
  double d[16][8];
  for (int lane = 0; lane < LANES; lane++) {
    const auto& own = *static_cast<Mma*>(operands[lane]);
    for (int i = 0; i < 4; i++) d[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2] = own.d[i];
  }
  for (int row = 0; row < 16; row++) {
    for (int p = 0; p < k; p++) {
      const double x = a[row][p];
      for (int column = 0; column < 8; column++) d[row][column] += x * b[p][column];
    }
  }
  for (int lane = 0; lane < LANES; lane++) {
    const auto& own = *static_cast<Mma*>(operands[lane]);
    for (int i = 0; i < 4; i++) own.d[i] = static_cast<float>(d[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2]);
  }
}

/** A's registers: rows lane / 4 and + 8, then the same for k + 8; each holds k = 2 (lane % 4) and the next. B's: k, then k + 8. */
void mmaBf16(void* const (&operands)[LANES]) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < LANES; lane++) {
    const auto& own = *static_cast<Mma*>(operands[lane]);
    const int group = lane / 4, k = 2 * (lane % 4);
    for (int i = 0; i < 4; i++) {
      a[group + 8 * (i % 2)][k + 8 * (i / 2)] = lowBf16(own.a[i]);
      a[group + 8 * (i % 2)][k + 8 * (i / 2) + 1] = highBf16(own.a[i]);
    }
    for (int i = 0; i < 2; i++) {
      b[k + 8 * i][group] = lowBf16(own.b[i]);
      b[k + 8 * i + 1][group] = highBf16(own.b[i]);
    }
  }
  multiply(operands, a, b);
}

/** A's registers: rows lane / 4 and + 8 at k = lane % 4, then the same at k + 4. B's: k, then k + 4, in column lane / 4. */
void mmaTf32(void* const (&operands)[LANES]) {
  float a[16][8], b[8][8];
  for (int lane = 0; lane < LANES; lane++) {
    const auto& own = *static_cast<Mma*>(operands[lane]);
    const int group = lane / 4, k = lane % 4;
    for (int i = 0; i < 4; i++) a[group + 8 * (i % 2)][k + 4 * (i / 2)] = truncatedTf32(own.a[i]);
    for (int i = 0; i < 2; i++) b[k + 4 * i][group] = truncatedTf32(own.b[i]);
  }
  multiply(operands, a, b);
}

/** Lane i names row i % 8 of matrix i / 8; register j gets of matrix j, row lane / 4, the columns 2 (lane % 4) and the next. */
bool loadMatrices(void* const (&operands)[LANES], bool transposed, bool (*isShared)(const void*, int)) {
  for (void* operand : operands) {
    const void* row = static_cast<MatrixLoad*>(operand)->row;
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0 || !isShared(row, 16)) return false;
  }
  std::uint16_t matrices[4][8][8];
  for (int lane = 0; lane < LANES; lane++) {
    std::memcpy(matrices[lane / 8][lane % 8], static_cast<MatrixLoad*>(operands[lane])->row, 16);
  }
  for (int lane = 0; lane < LANES; lane++) {
    Word* r = static_cast<MatrixLoad*>(operands[lane])->r;
    const int row = lane / 4, column = 2 * (lane % 4);
    for (int j = 0; j < 4; j++) {
      const auto& matrix = matrices[j];
      const Word low = transposed ? matrix[column][row] : matrix[row][column];
      const Word high = transposed ? matrix[column + 1][row] : matrix[row][column + 1];
      r[j] = high << 16 | low;
    }
  }
  return true;
}

}  // namespace

bool meetLanes(Meeting meeting, void* const (&operands)[LANES], Word present, bool (*isShared)(const void*, int)) {
  switch (meeting) {
    case Meeting::shuffle:
      shuffle(operands, present);
      break;
    case Meeting::vote:
      vote(operands);
      break;
    case Meeting::match:
      match(operands);
      break;
    case Meeting::mmaBf16:
      mmaBf16(operands);
      break;
    case Meeting::mmaTf32:
      mmaTf32(operands);
      break;
    case Meeting::loadMatrices:
      return loadMatrices(operands, false, isShared);
    case Meeting::loadMatricesTransposed:
      return loadMatrices(operands, true, isShared);
    case Meeting::syncWarp:
    case Meeting::syncBlock:
      break;
  }
  return true;
}

}  // namespace emulated
