#include <algorithm>
#include <vector>

#include "bindings.h"

namespace tokenfuse {
namespace {

/** Weights of a task, about: long enough to be read at the speed of memory, short enough to be shared. */
constexpr long kTaskWeights = 1L << 14;
/** Rows by which tasks of value parameter tokens grow, so that their partial sums stay small beside the weights. */
constexpr long kRowsPerRun = 4;
/** Query, key, value, attention output, what the context's part of it goes through, ffn. */
constexpr long kLayers = 6;

/** The groups of all stages and the tasks they are cut into. */
struct Plan {
  std::vector<DecodeGroup> groups;
  std::vector<DecodeTask> keyTasks, valueTasks;
};

long runsOf(long n, long each) { return (n + each - 1) / each; }

void decodeBlocks(Arguments& in, const Kernels& kernels) {
  Decode f{};
  f.rows = in.size("rows");
  f.dModel = in.size("dModel");
  f.numHeads = in.size("numHeads", f.dModel);
  f.half = in.size("half", f.numHeads == 0 ? 0 : f.dModel / f.numHeads / 2);
  f.past = in.size("past");
  f.capacity = in.size("capacity");
  f.contextLen = in.size("contextLen");
  f.mode = static_cast<WeightMode>(in.size("normActivation", kLastWeightMode));
  f.tanhForm = in.flag("gelu");
  f.epsilon = in.number("epsilon");
  f.layerEpsilon = in.number("layerNormEpsilon");
  const ArrayList keys = in.arrays("keyParamTokens");
  const ArrayList values = in.arrays("valueParamTokens", keys.size());
  const ArrayList cacheKeys = in.arrays("cacheKeys");
  const size_t numBlocks = cacheKeys.size();
  const ArrayList cacheValues = in.arrays("cacheValues", numBlocks);
  const size_t contexts = f.contextLen > 0 ? numBlocks : 0;
  const ArrayList contextKeys = in.arrays("contextKeys", contexts);
  const ArrayList contextValues = in.arrays("contextValues", contexts);
  const float* shares = in.floatsOrNone("shares", product({static_cast<long>(contexts), f.numHeads}));
  f.x = in.floats("x", product({f.rows, f.dModel}));
  f.output = in.floats("output", product({f.rows, f.dModel}));
  const float* table = in.floats("table", product({2, f.half}));
  const float* settings = in.floats("settings", product({3, static_cast<long>(keys.size())}));
  const int32_t* counts = in.ints("groups", product({kLayers, static_cast<long>(numBlocks)}));
  const int32_t* strongest = in.ints("strongest", static_cast<long>(keys.size()));
  in.end();
  f.cosines = table;
  f.sines = table + f.half;
  if (f.numHeads == 0 || f.dModel % f.numHeads != 0) {
    throw std::invalid_argument("native kernel, numHeads: expected a divisor of dModel, got " + std::to_string(f.numHeads));
  }
  if (f.past >= f.capacity) {
    throw std::invalid_argument("native kernel, capacity: expected more than past, got " + std::to_string(f.capacity));
  }
  const long cacheSize = product({f.rows, f.capacity, f.dModel});
  const long contextSize = product({f.rows, f.contextLen, f.dModel});

  // Lists do not move once they are filled: stages point into them.
  Plan plan;
  plan.groups.resize(keys.size());
  const long eachKey = std::max(1L, kTaskWeights / f.dModel);
  const long eachValue = eachKey * std::clamp(f.rows, 1L, kRowsPerRun);
  // A sparse group's runs are longer by as much as fewer of their values are read.
  const auto strongestOf = [&](long n, size_t i) {
    const bool whole = strongest[i] <= 0 || settings[3 * i + 2] != 0;
    return whole ? n : std::min<long>(strongest[i], n);
  };
  const auto valuesOf = [&](long n, size_t i) { return eachValue * std::max(1L, n / std::max(1L, strongestOf(n, i))); };
  long numKeyTasks = 0;
  long numValueTasks = 0;
  for (size_t i = 0; i < keys.size(); i++) {
    const long n = keys.length(i) / f.dModel;
    numKeyTasks += runsOf(n, eachKey);
    numValueTasks += runsOf(n, valuesOf(n, i));
  }
  plan.keyTasks.reserve(static_cast<size_t>(numKeyTasks));
  plan.valueTasks.reserve(static_cast<size_t>(numValueTasks));
  std::vector<DecodeBlock> blocks(numBlocks);
  const long matrix = product({f.rows, f.dModel});
  const long start = kDecodeMatrices * matrix;
  f.sharedFloats = start;
  long next = 0;
  const auto stageOf = [&](const int32_t* layers, std::initializer_list<std::pair<int, int>> ends) {
    DecodeStage stage{};
    stage.groups = plan.groups.data() + next;
    stage.keyTasks = plan.keyTasks.data() + plan.keyTasks.size();
    stage.valueTasks = plan.valueTasks.data() + plan.valueTasks.size();
    long free = start;
    for (const auto& [input, output] : ends) {
      for (int32_t left = *layers++; left > 0; left--, next++) {
        if (next >= static_cast<long>(keys.size())) {
          throw std::invalid_argument("native kernel, groups: expected " + std::to_string(keys.size()) + ", got more");
        }
        const size_t i = static_cast<size_t>(next);
        DecodeGroup& g = plan.groups[i];
        g.n = keys.length(i) / f.dModel;
        g.keys = keys.floats(i, product({g.n, f.dModel}));
        g.values = values.floats(i, product({g.n, f.dModel}));
        g.tau = settings[3 * i];
        g.scale = settings[3 * i + 1];
        g.linear = settings[3 * i + 2] != 0;
        g.strongest = strongestOf(g.n, i);
        g.input = input;
        g.output = output;
        g.scores = free;
        g.lists = free + product({f.rows, g.n});
        g.partials = g.lists + (g.strongest < g.n ? product({f.rows, g.n + 1}) : 0);
        const long each = valuesOf(g.n, i);
        g.numPartials = runsOf(g.n, each);
        free = g.partials + product({g.numPartials, matrix});
        for (long from = 0; from < g.n; from += eachKey) {
          plan.keyTasks.push_back({&g, from, std::min(g.n, from + eachKey), 0});
        }
        for (long p = 0; p < g.numPartials; p++) {
          const long from = p * each;
          plan.valueTasks.push_back({&g, from, std::min(g.n, from + each), g.partials + p * matrix});
        }
      }
    }
    stage.numGroups = plan.groups.data() + next - stage.groups;
    stage.numKeyTasks = plan.keyTasks.data() + plan.keyTasks.size() - stage.keyTasks;
    stage.numValueTasks = plan.valueTasks.data() + plan.valueTasks.size() - stage.valueTasks;
    f.sharedFloats = std::max(f.sharedFloats, free);
    return stage;
  };
  for (size_t b = 0; b < numBlocks; b++) {
    const int32_t* layers = counts + kLayers * static_cast<long>(b);
    DecodeBlock& block = blocks[b];
    block.project = stageOf(layers, {{kDecodeNormed, 0}, {kDecodeNormed, 1}, {kDecodeNormed, 2}});
    block.output = stageOf(layers + 3, {{kDecodeAttended, 0}, {kDecodeFromContext, 0}});
    block.ffn = stageOf(layers + 5, {{kDecodeNormed, 0}});
    block.cacheKeys = cacheKeys.floats(b, cacheSize);
    block.cacheValues = cacheValues.floats(b, cacheSize);
    if (contexts == 0) continue;
    block.contextKeys = contextKeys.floats(b, contextSize);
    block.contextValues = contextValues.floats(b, contextSize);
    if (shares != nullptr) block.shares = shares + static_cast<long>(b) * f.numHeads;
  }
  if (next != static_cast<long>(keys.size())) {
    throw std::invalid_argument("native kernel, groups: expected " + std::to_string(keys.size()) + ", got " +
                                std::to_string(next));
  }
  f.blocks = blocks.data();
  f.numBlocks = static_cast<long>(numBlocks);
  if (f.rows > 0) kernels.decode(f);
}

}  // namespace

const Binding decodeBindings[] = {
    {"decodeBlocks", decodeBlocks, true},
    {nullptr, nullptr, false},
};

}  // namespace tokenfuse
