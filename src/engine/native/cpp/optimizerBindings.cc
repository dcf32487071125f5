#include <algorithm>
#include <vector>

#include "bindings.h"

namespace tokenfuse {
namespace {

/** Numbers in a piece; the same at any number of threads, and with it every sum. */
constexpr long kPieceNumbers = 1L << 14;

/** Calls f(from, count) for the pieces of a tensor. */
template <class F>
void eachPiece(long count, const F& f) {
  for (long from = 0; from < count; from += kPieceNumbers) f(from, std::min(kPieceNumbers, count - from));
}

void adamW(Arguments& in, const Kernels& kernels) {
  AdamW s{};
  s.gradientScale = in.number("gradientScale");
  s.beta1 = in.number("beta1");
  s.restOfBeta1 = in.number("1 - beta1");
  s.beta2 = in.number("beta2");
  s.restOfBeta2 = in.number("1 - beta2");
  s.rate = in.number("rate");
  s.correction = in.number("correction");
  s.epsilon = in.number("epsilon");
  const ArrayList params = in.arrays("params");
  const size_t tensors = params.size();
  const ArrayList gradients = in.arrays("gradients", tensors);
  const ArrayList firsts = in.arrays("m", tensors);
  const ArrayList seconds = in.arrays("v", tensors);
  const float* decays = in.floats("decays", static_cast<long>(tensors));
  in.end();
  std::vector<AdamWPiece> pieces;
  for (size_t i = 0; i < tensors; i++) {
    const long count = params.length(i);
    float* const param = params.floats(i, count);
    const float* const gradient = gradients.floats(i, count);
    float* const m = firsts.floats(i, count);
    float* const v = seconds.floats(i, count);
    eachPiece(count, [&](long from, long size) {
      pieces.push_back({param + from, gradient + from, m + from, v + from, size, decays[i]});
    });
  }
  s.pieces = pieces.data();
  s.numPieces = static_cast<long>(pieces.size());
  kernels.adamW(s);
}

void squaredNorm(Arguments& in, const Kernels& kernels) {
  const ArrayList tensors = in.arrays("tensors");
  float* output = in.floats("output", 1);
  in.end();
  std::vector<NormPiece> pieces;
  for (size_t i = 0; i < tensors.size(); i++) {
    const long count = tensors.length(i);
    const float* const x = tensors.floats(i, count);
    eachPiece(count, [&](long from, long size) { pieces.push_back({x + from, size}); });
  }
  std::vector<double> sums(pieces.size());
  kernels.squaredNorms(pieces.data(), static_cast<long>(pieces.size()), sums.data());
  double total = 0;
  for (const double sum : sums) total += sum;
  *output = static_cast<float>(total);
}

}  // namespace

const Binding optimizerBindings[] = {
    {"adamW", adamW, true},
    {"squaredNorm", squaredNorm, true},
    {nullptr, nullptr, false},
};

}  // namespace tokenfuse
