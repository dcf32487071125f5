/**
 * One new token of every row through all blocks of a stack, with a key-value cache, in one go.
 *
 * A decoding step reads every weight once and does little with it. As a kernel for each operation it would be bound by
 * their starts; here the threads stay together from the first block to the last, and each phase hands out long runs of
 * weights. Sums over value parameter tokens are made in runs of a fixed length and added in order, so that no number
 * depends on the number of threads.
 */
#pragma once
#include "../kernels.h"
#include "parameterWeights.h"
#include "phases.h"
#include "strongest.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

/** A step under way: where its intermediates are. */
struct DecodeStep {
  const Decode& f;
  PhaseThread& phases;
  float* const shared;
  float* const attentionScores;  // [contextLen + past + 1], of this thread

  float* matrix(int which) const { return shared + which * f.rows * f.dModel; }
  float* row(int which, long r) const { return matrix(which) + r * f.dModel; }
  float* state(long r) const { return f.output + r * f.dModel; }

  /** C[rows, j0 … j1) = A B, a few rows at a time. */
  void product(const float* a, long k, const float* b, bool transposed, float* c, long n, long j0, long j1) const {
    for (long r = 0; r < f.rows; r += kThinRows) {
      multiplyThin(a + r * k, k, b, f.dModel, transposed, k, c + r * n, n, min(kThinRows, f.rows - r), false, j0, j1);
    }
  }

  /** Of every group: scores, weights, and the weighted sums of its values, run by run. */
  void run(const DecodeStage& stage) const {
    const long d = f.dModel;
    phases.forEach(stage.numKeyTasks, [&](long i) {
      const DecodeTask& task = stage.keyTasks[i];
      const DecodeGroup& g = *task.group;
      product(matrix(g.input), d, g.keys, true, shared + g.scores, g.n, task.from, task.to);
    });
    phases.forEach(stage.numGroups * f.rows, [&](long i) {
      const DecodeGroup& g = stage.groups[i / f.rows];
      if (g.linear) return;
      Pattention settings{};
      settings.n = g.n;
      settings.mode = f.mode;
      settings.tanhForm = f.tanhForm;
      settings.epsilon = f.epsilon;
      settings.tau = g.tau;
      const long r = i % f.rows;
      float* scores = shared + g.scores + r * g.n;
      weightsRows(scores, scores, 1, settings);
      if (g.strongest < g.n) countsOf(g)[r] = static_cast<int32_t>(listStrongest(scores, g.n, g.strongest, listOf(g, r)));
    });
    phases.forEach(stage.numValueTasks, [&](long i) {
      const DecodeTask& task = stage.valueTasks[i];
      const DecodeGroup& g = *task.group;
      float* partial = shared + task.partial;
      if (g.strongest < g.n) return addStrongest(task, partial);
      for (long r = 0; r < f.rows; r += kThinRows) {
        multiplyThin(shared + g.scores + r * g.n + task.from, g.n, g.values + task.from * d, d, false,
                     task.to - task.from, partial + r * d, d, min(kThinRows, f.rows - r), false, 0, d);
      }
    });
  }

  int32_t* listOf(const DecodeGroup& g, long r) const {
    return reinterpret_cast<int32_t*>(shared + g.lists) + r * g.n;
  }
  int32_t* countsOf(const DecodeGroup& g) const { return listOf(g, f.rows); }

  /** The partial sums of a task over the strongest parameter tokens of every row. */
  void addStrongest(const DecodeTask& task, float* partial) const {
    const long d = f.dModel;
    const DecodeGroup& g = *task.group;
    clear(partial, f.rows * d);
    for (long r = 0; r < f.rows; r++) {
      const int32_t* list = listOf(g, r);
      const long from = firstFrom(list, countsOf(g)[r], task.from);
      const long count = firstFrom(list + from, countsOf(g)[r] - from, task.to);
      addListed(shared + g.scores + r * g.n, list + from, count, g.values, d, partial + r * d, d);
    }
  }

  /** to = or += the sum of the groups of one output of a stage. */
  void gather(const DecodeStage& stage, int output, long r, float* to, bool add) const {
    const long d = f.dModel;
    eachVector(d, [&](long j, auto lanes) {
      V sum = add ? load(to + j, lanes) : V{};
      for (long i = 0; i < stage.numGroups; i++) {
        const DecodeGroup& g = stage.groups[i];
        if (g.output != output) continue;
        V own = {};
        for (long p = 0; p < g.numPartials; p++) own += load(shared + g.partials + (p * f.rows + r) * d + j, lanes);
        sum += own * g.scale;
      }
      store(to + j, sum, lanes);
    });
  }

  /** Queries of a row, rotated; its keys, rotated, and values into the cache. */
  void project(const DecodeBlock& block, long r) const {
    const long headDim = f.dModel / f.numHeads;
    const long place = (r * f.capacity + f.past) * f.dModel;
    float* query = row(kDecodeQuery, r);
    float* key = block.cacheKeys + place;
    gather(block.project, 0, r, query, false);
    gather(block.project, 1, r, key, false);
    gather(block.project, 2, r, block.cacheValues + place, false);
    float* const rotated[] = {query, key};
    for (float* each : rotated) rotateRow(each, each, f.cosines, f.sines, f.numHeads, headDim, f.half);
  }

  /**
   * softmax(q [context, cache]ᵀ/√headDim) [context, cache] of one head of one row, and the context's part of it. With
   * shares each of the two has a softmax of its own, and the whole takes the head's share of what the context gives.
   */
  void attend(const DecodeBlock& block, long r, long head) const {
    const long d = f.dModel;
    const long headDim = d / f.numHeads;
    const long own = f.past + 1;
    const long width = f.contextLen + own;
    const long column = head * headDim;
    const long context = r * f.contextLen * d + column;
    const long cache = r * f.capacity * d + column;
    float* p = attentionScores;
    const float* q = row(kDecodeQuery, r) + column;
    float* out = row(kDecodeAttended, r) + column;
    const auto scores = [&](const float* keys, float* to, long n) {
      if (n > 0) multiplyThin(q, d, keys, d, true, headDim, to, n, 1, false, 0, n);
    };
    const auto weighted = [&](const float* weights, const float* values, float* to, long n, bool add) {
      multiplyThin(weights, n, values, d, false, n, to, d, 1, add, 0, headDim);
    };
    if (f.contextLen > 0) scores(block.contextKeys + context, p, f.contextLen);
    scores(block.cacheKeys + cache, p + f.contextLen, own);
    const auto softmax = [&](float* weights, long n) {
      rowScale(weights, n, 1 / __builtin_sqrtf(static_cast<float>(headDim)));
      const float sum = rowExponential(weights, weights, n, rowMax(weights, n));
      rowScale(weights, n, 1 / sum);
    };
    if (block.shares == nullptr) {
      softmax(p, width);
    } else {
      softmax(p, f.contextLen);
      softmax(p + f.contextLen, own);
    }
    if (f.contextLen > 0) {
      float* fromContext = row(kDecodeFromContext, r) + column;
      weighted(p, block.contextValues + context, fromContext, f.contextLen, false);
      const float share = block.shares == nullptr ? 1 : block.shares[head];
      eachVector(headDim, [&](long j, auto lanes) { store(out + j, load(fromContext + j, lanes) * share, lanes); });
    }
    weighted(p + f.contextLen, block.cacheValues + cache, out, own, f.contextLen > 0);
  }

  void all() const {
    const long d = f.dModel;
    const auto normalize = [&](long r) { normalizeRow(state(r), row(kDecodeNormed, r), d, f.layerEpsilon); };
    phases.forEach(f.rows, [&](long r) {
      __builtin_memcpy(state(r), f.x + r * d, static_cast<size_t>(d) * sizeof(float));
      normalize(r);
    });
    for (long b = 0; b < f.numBlocks; b++) {
      const DecodeBlock& block = f.blocks[b];
      run(block.project);
      phases.forEach(f.rows, [&](long r) { project(block, r); });
      phases.forEach(f.rows * f.numHeads, [&](long i) { attend(block, i / f.numHeads, i % f.numHeads); });
      const DecodeStage* const rest[] = {&block.output, &block.ffn};
      for (const DecodeStage* stage : rest) {
        run(*stage);
        phases.forEach(f.rows, [&](long r) {
          gather(*stage, 0, r, state(r), true);
          normalize(r);
        });
      }
    }
  }
};

static void decode(const Decode& f) {
  reserveScratch(static_cast<size_t>(f.contextLen + f.past + 1), static_cast<size_t>(f.sharedFloats));
  runPhases([&](PhaseThread& phases, int thread) { DecodeStep{f, phases, sharedScratch(), threadScratch(thread)}.all(); });
}

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
