/**
 * Pattention over the parameter tokens of each token's best clusters alone: neither keys nor values of the others are read.
 * The norm over all scores comes from the Gram matrix of the keys: ‖x Kᵀ‖² = x (Kᵀ K) xᵀ.
 */
#pragma once
#include "parameterWeights.h"
#include "phases.h"
#include "strongest.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** Tokens from which on each is the work of one thread; of fewer, clusters are shared in this many parts. */
constexpr long kRoutedParts = 8;

/** What a call works with, and where its intermediates are. */
struct RoutedStep {
  const RoutedPattention& f;
  const long parts;
  float* const scales;     // [tokens], τ / (‖A‖ + ε)
  int32_t* const lists;    // [tokens, clusters]
  int32_t* const counts;   // [tokens]
  float* const partials;   // [tokens, parts, dOut]; the output where there is one part

  /** The clusters of a token, and its norm; guidance [clusters + dIn]: x · centroids, then x (Kᵀ K). */
  void choose(long r) const {
    const float* guidance = f.guidance + r * (f.clusters + f.dIn);
    const float square = rowDot(guidance + f.clusters, f.x + r * f.dIn, f.dIn);
    scales[r] = quotient(f.tau, __builtin_sqrtf(square < 0 ? 0 : square) + f.epsilon);
    counts[r] = static_cast<int32_t>(listLargest(guidance, f.clusters, f.best, lists + r * f.clusters));
  }

  /** The sum over one part of a token's clusters; scores: room for the largest. */
  void add(long r, long part, float* scores) const {
    float* to = partials + (r * parts + part) * f.dOut;
    clear(to, f.dOut);
    const int32_t* list = lists + r * f.clusters;
    for (long i = counts[r] * part / parts; i < counts[r] * (part + 1) / parts; i++) {
      const long from = f.starts[list[i]];
      const long n = f.starts[list[i] + 1] - from;
      multiplyThin(f.x + r * f.dIn, f.dIn, f.keys + from * f.dIn, f.dIn, true, f.dIn, scores, n, 1, false, 0, n);
      if (f.tanhForm) geluRow<true>(scores, scores, n, scales[r]);
      else geluRow<false>(scores, scores, n, scales[r]);
      multiplyThin(scores, n, f.values + from * f.dOut, f.dOut, false, n, to, f.dOut, 1, true, 0, f.dOut);
    }
  }

  void gather(long r) const {
    eachVector(f.dOut, [&](long j, auto lanes) {
      V sum = {};
      for (long part = 0; part < parts; part++) sum += load(partials + (r * parts + part) * f.dOut + j, lanes);
      store(f.output + r * f.dOut + j, sum, lanes);
    });
  }
};

static void routedPattention(const RoutedPattention& f) {
  long longest = 0;
  for (long c = 0; c < f.clusters; c++) longest = max<long>(longest, f.starts[c + 1] - f.starts[c]);
  const long parts = f.tokens < kRoutedParts ? kRoutedParts : 1;
  const long partials = parts > 1 ? f.tokens * parts * f.dOut : 0;
  reserveScratch(static_cast<size_t>(longest), static_cast<size_t>(partials + f.tokens * (f.clusters + 2)));
  float* scales = sharedScratch() + partials;
  int32_t* lists = reinterpret_cast<int32_t*>(scales + f.tokens);
  const RoutedStep step{f, parts, scales, lists, lists + f.tokens * f.clusters, parts > 1 ? sharedScratch() : f.output};
  runPhases([&](PhaseThread& phases, int thread) {
    phases.forEach(f.tokens, [&](long r) { step.choose(r); });
    phases.forEach(f.tokens * parts, [&](long i) { step.add(i / parts, i % parts, threadScratch(thread)); });
    if (parts > 1) phases.forEach(f.tokens, [&](long r) { step.gather(r); });
  });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
