#include "bindings.h"

namespace tokenfuse {
namespace {

void matMul(Arguments& in, const Kernels& kernels) {
  Product f{};
  f.batch = in.size("batch");
  f.m = in.size("m");
  f.n = in.size("n");
  f.k = in.size("k");
  f.transposeA = in.flag("transposeA");
  f.transposeB = in.flag("transposeB");
  const bool sharedA = in.flag("sharedA");
  const bool sharedB = in.flag("sharedB");
  f.add = in.flag("add");
  const long sizeA = product({f.m, f.k});
  const long sizeB = product({f.k, f.n});
  f.strideA = sharedA ? 0 : sizeA;
  f.strideB = sharedB ? 0 : sizeB;
  f.a = in.floats("a", product({sharedA ? 1 : f.batch, sizeA}));
  f.b = in.floats("b", product({sharedB ? 1 : f.batch, sizeB}));
  f.c = in.floats("c", product({f.batch, f.m, f.n}));
  in.end();
  if (f.batch > 0 && f.m > 0 && f.n > 0) kernels.matMul(f);
}

template <class Settings = Pattention>
Settings pattentionSettings(Arguments& in) {
  Settings f{};
  f.tokens = in.size("tokens");
  f.dIn = in.size("dIn");
  f.n = in.size("numParamTokens");
  f.dOut = in.size("dOut");
  f.mode = static_cast<WeightMode>(in.size("normActivation", kLastWeightMode));
  f.tanhForm = in.flag("gelu");
  f.epsilon = in.number("epsilon");
  f.tau = in.number("tau");
  return f;
}

void pattention(Arguments& in, const Kernels& kernels) {
  Pattention f = pattentionSettings(in);
  f.add = in.flag("add");
  f.x = in.floats("x", product({f.tokens, f.dIn}));
  f.keys = in.floats("keyParamTokens", product({f.n, f.dIn}));
  f.values = in.floats("valueParamTokens", product({f.n, f.dOut}));
  f.output = in.floats("output", product({f.tokens, f.dOut}));
  f.scores = in.floats("scores", product({f.tokens, f.n}));
  in.end();
  if (product({f.tokens, f.n}) > 0 || product({f.tokens, f.dOut}) > 0) kernels.pattention(f);
}

void sparsePattention(Arguments& in, const Kernels& kernels) {
  SparsePattention f = pattentionSettings<SparsePattention>(in);
  f.strongest = in.size("strongest", f.n);
  f.x = in.floats("x", product({f.tokens, f.dIn}));
  f.keys = in.floats("keyParamTokens", product({f.n, f.dIn}));
  f.values = in.floats("valueParamTokens", product({f.n, f.dOut}));
  f.output = in.floats("output", product({f.tokens, f.dOut}));
  in.end();
  if (f.strongest == 0) throw std::invalid_argument("native kernel, strongest: expected at least 1, got 0");
  // Its place in a list of parameter tokens is an int32.
  if (f.n > INT32_MAX) throw std::invalid_argument("native kernel, numParamTokens: expected fewer than 2^31");
  kernels.sparsePattention(f);
}

void routedPattention(Arguments& in, const Kernels& kernels) {
  RoutedPattention f = pattentionSettings<RoutedPattention>(in);
  f.clusters = in.size("clusters");
  f.best = in.size("best", f.clusters);
  f.x = in.floats("x", product({f.tokens, f.dIn}));
  f.keys = in.floats("keyParamTokens", product({f.n, f.dIn}));
  f.values = in.floats("valueParamTokens", product({f.n, f.dOut}));
  f.guidance = in.floats("guidance", product({f.tokens, f.clusters + f.dIn}));
  f.starts = in.ints("starts", f.clusters + 1);
  f.output = in.floats("output", product({f.tokens, f.dOut}));
  in.end();
  if (f.mode != WeightMode::l2NormGelu) throw std::invalid_argument("native kernel, normActivation: expected l2NormGelu");
  if (f.best == 0) throw std::invalid_argument("native kernel, best: expected at least 1, got 0");
  for (long c = 0; c < f.clusters; c++) {
    if (f.starts[c] >= 0 && f.starts[c] <= f.starts[c + 1] && f.starts[c + 1] <= f.n) continue;
    throw std::invalid_argument("native kernel, starts: expected ascending places among the parameter tokens");
  }
  kernels.routedPattention(f);
}

void pattentionGradient(Arguments& in, const Kernels& kernels) {
  Pattention f = pattentionSettings(in);
  f.add = in.flag("add");
  f.dOutput = in.floats("dOutput", product({f.tokens, f.dOut}));
  f.x = in.floats("x", product({f.tokens, f.dIn}));
  f.keys = in.floats("keyParamTokens", product({f.n, f.dIn}));
  f.values = in.floats("valueParamTokens", product({f.n, f.dOut}));
  f.scores = in.floats("scores", product({f.tokens, f.n}));
  f.dX = in.floatsOrNone("dX", product({f.tokens, f.dIn}));
  f.dKeys = in.floatsOrNone("dKeys", product({f.n, f.dIn}));
  f.dValues = in.floatsOrNone("dValues", product({f.n, f.dOut}));
  in.end();
  if ((f.dKeys == nullptr) != (f.dValues == nullptr)) {
    throw std::invalid_argument("native kernel, dKeys and dValues: expected both or none, got one");
  }
  const long inTokens = product({f.tokens, f.dIn + f.n + f.dOut});
  const long inParamTokens = product({f.n, f.dIn + f.dOut});
  if (inTokens > 0 || inParamTokens > 0) kernels.pattentionGradient(f);
}

Attention attentionSettings(Arguments& in, long* maskBatches) {
  Attention f{};
  f.batch = in.size("batch");
  f.queryLen = in.size("queryLen");
  f.keyLen = in.size("keyLen");
  f.numHeads = in.size("numHeads");
  f.headDim = in.size("headDim");
  f.prefixLen = in.size("prefixLen");
  f.contextLen = in.size("contextLen", f.keyLen);
  const bool sharedMask = in.flag("sharedMask");
  *maskBatches = sharedMask ? 1 : f.batch;
  f.maskStride = sharedMask ? 0 : f.keyLen;
  return f;
}

void attentionInputs(Arguments& in, Attention& f, long maskBatches) {
  const long width = product({f.numHeads, f.headDim});
  f.q = in.floats("q", product({f.batch, f.queryLen, width}));
  f.k = in.floats("k", product({f.batch, f.keyLen, width}));
  f.v = in.floats("v", product({f.batch, f.keyLen, width}));
  f.keyMask = in.floatsOrNone("keyMask", product({maskBatches, f.keyLen}));
  f.output = in.floats("output", product({f.contextLen > 0 ? 2 : 1, f.batch, f.queryLen, width}));
  f.logSumExp = in.floats("logSumExp", product({f.batch, f.numHeads, f.queryLen}));
}

void attention(Arguments& in, const Kernels& kernels) {
  long maskBatches = 0;
  Attention f = attentionSettings(in, &maskBatches);
  attentionInputs(in, f, maskBatches);
  in.end();
  if (f.queryLen > 0 && f.keyLen > 0 && f.numHeads > 0 && f.headDim > 0) kernels.attention(f);
}

void attentionGradient(Arguments& in, const Kernels& kernels) {
  long maskBatches = 0;
  Attention f = attentionSettings(in, &maskBatches);
  attentionInputs(in, f, maskBatches);
  const long width = product({f.numHeads, f.headDim});
  f.dOutput = in.floats("dOutput", product({f.contextLen > 0 ? 2 : 1, f.batch, f.queryLen, width}));
  f.dQ = in.floats("dQ", product({f.batch, f.queryLen, width}));
  f.dK = in.floats("dK", product({f.batch, f.keyLen, width}));
  f.dV = in.floats("dV", product({f.batch, f.keyLen, width}));
  in.end();
  if (f.queryLen > 0 && f.keyLen > 0 && f.numHeads > 0 && f.headDim > 0) kernels.attentionGradient(f);
}

void layerNormalize(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long width = in.size("width");
  const float epsilon = in.number("epsilon");
  const float* x = in.floats("x", product({rows, width}));
  float* output = in.floats("output", product({rows, width}));
  float* inverseDeviation = in.floats("inverseDeviation", rows);
  in.end();
  kernels.layerNormalize(x, output, inverseDeviation, rows, width, epsilon);
}

void layerNormalizeGradient(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long width = in.size("width");
  const bool add = in.flag("add");
  const long count = product({rows, width});
  const float* dOutput = in.floats("dOutput", count);
  const float* output = in.floats("output", count);
  const float* inverseDeviation = in.floats("inverseDeviation", rows);
  float* dX = in.floats("dX", count);
  in.end();
  kernels.layerNormalizeGradient(add, dOutput, output, inverseDeviation, dX, rows, width);
}

void crossEntropy(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long classes = in.size("classes");
  const float* logits = in.floats("logits", product({rows, classes}));
  const int32_t* labels = in.ints("labels", rows);
  const float* weights = in.floats("weights", rows);
  float* losses = in.floats("losses", rows);
  float* logSumExp = in.floats("logSumExp", rows);
  in.end();
  kernels.crossEntropy(logits, labels, weights, losses, logSumExp, rows, classes);
}

void crossEntropyGradient(Arguments& in, const Kernels& kernels) {
  const long rows = in.size("rows");
  const long classes = in.size("classes");
  const float* dLosses = in.floats("dLosses", rows);
  const float* logits = in.floats("logits", product({rows, classes}));
  const int32_t* labels = in.ints("labels", rows);
  const float* weights = in.floats("weights", rows);
  const float* logSumExp = in.floats("logSumExp", rows);
  float* dLogits = in.floats("dLogits", product({rows, classes}));
  in.end();
  kernels.crossEntropyGradient(dLosses, logits, labels, weights, logSumExp, dLogits, rows, classes);
}

void linearCrossEntropy(Arguments& in, const Kernels& kernels) {
  LinearCrossEntropy f{};
  f.rows = in.size("rows");
  f.dModel = in.size("dModel");
  f.classes = in.size("vocabSize");
  if (f.dModel == 0) throw std::invalid_argument("native kernel, dModel: expected at least 1, got 0");
  f.states = in.floats("states", product({f.rows, f.dModel}));
  f.embedding = in.floats("embedding", product({f.classes, f.dModel}));
  f.labels = in.ints("labels", f.rows);
  f.weights = in.floats("weights", f.rows);
  f.losses = in.floats("losses", f.rows);
  f.dStates = in.floatsOrNone("dStates", product({f.rows, f.dModel}));
  f.dEmbedding = in.floatsOrNone("dEmbedding", product({f.classes, f.dModel}));
  in.end();
  for (long row = 0; row < f.rows; row++) {
    if (f.weights[row] == 0 || (f.labels[row] >= 0 && f.labels[row] < f.classes)) continue;
    throw std::invalid_argument("LinearCrossEntropy: expected labels in [0, " + std::to_string(f.classes) +
                                ") where the weight is not 0, got " + std::to_string(f.labels[row]) + " in row " +
                                std::to_string(row));
  }
  kernels.linearCrossEntropy(f);
}

void rotary(Arguments& in, const Kernels& kernels) {
  const long batch = in.size("batch");
  const long seqLen = in.size("seqLen");
  const long numHeads = in.size("numHeads");
  const long headDim = in.size("headDim");
  const long half = in.size("half", headDim / 2);
  const long count = product({batch, seqLen, numHeads, headDim});
  const float* x = in.floats("x", count);
  float* output = in.floats("output", count);
  const float* table = in.floats("table", product({2, seqLen, half}));
  in.end();
  if (count > 0) kernels.rotary(x, output, table, table + seqLen * half, batch, seqLen, numHeads, headDim, half);
}

}  // namespace

const Binding modelBindings[] = {
    {"matMul", matMul},
    {"pattention", pattention},
    {"pattentionGradient", pattentionGradient},
    {"sparsePattention", sparsePattention},
    {"routedPattention", routedPattention},
    {"attention", attention},
    {"attentionGradient", attentionGradient},
    {"layerNormalize", layerNormalize},
    {"layerNormalizeGradient", layerNormalizeGradient},
    {"crossEntropy", crossEntropy},
    {"crossEntropyGradient", crossEntropyGradient},
    {"linearCrossEntropy", linearCrossEntropy},
    {"rotary", rotary},
    {nullptr, nullptr},
};

}  // namespace tokenfuse
