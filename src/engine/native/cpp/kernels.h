/** What an instruction set's build of the kernels offers; the arguments are checked before they come here. */
#pragma once
#include <cstddef>
#include <cstdint>

namespace tokenfuse {

struct Product {
  long batch, m, n, k;
  bool transposeA, transposeB;
  /** Whether c holds a sum to which the product is added. */
  bool add;
  /** Floats from one matrix of the batch to the next; 0 where all share one. */
  long strideA, strideB;
  const float *a, *b;
  float* c;
};

enum class WeightMode : int { l2NormGelu = 0, geluL2Norm = 1, softmax = 2, gelu = 3 };
constexpr long kLastWeightMode = static_cast<long>(WeightMode::gelu);

struct Pattention {
  long tokens, dIn, n, dOut;
  WeightMode mode;
  bool tanhForm;
  float epsilon, tau;
  const float *x, *keys, *values;
  /** Forward: written; backward: read. */
  float *output, *scores;
  const float* dOutput;
  /** Null where not wanted. */
  float *dX, *dKeys, *dValues;
  /** Whether output and dX hold the sums of the groups before, to which this one's are added. */
  bool add;
};

/** Forward only, without `scores` and `add`. */
struct SparsePattention : Pattention {
  /** Parameter tokens that each token uses, 1 to n. */
  long strongest;
};

/** Forward only, without `scores` and `add`; Θ is l2NormGelu. Keys and values lie cluster by cluster. */
struct RoutedPattention : Pattention {
  long clusters;
  /** Clusters that each token uses, 1 to `clusters`. */
  long best;
  /** Cluster c is [starts[c], starts[c + 1]); clusters + 1. */
  const int32_t* starts;
  /** [tokens, clusters + dIn]: x · centroids, then x (Kᵀ K). */
  const float* guidance;
};

struct Attention {
  long batch, queryLen, keyLen, numHeads, headDim, prefixLen, contextLen;
  const float *q, *k, *v;
  /** Null for none; batches maskStride apart. */
  const float* keyMask;
  long maskStride;
  /** Forward: written; backward: read. */
  float *output, *logSumExp;
  const float* dOutput;
  float *dQ, *dK, *dV;
};

/** A group of parameter tokens in a decoding step; places are floats from the start of the shared scratch memory. */
struct DecodeGroup {
  const float *keys, *values;
  long n;
  float tau, scale;
  /** Θ is the identity. */
  bool linear;
  /** Parameter tokens that each row uses: those of the largest weights; n for all, as in a linear group. */
  long strongest;
  /** What it reads: 0 the normalised state, 1 the attention's output, 2 the context's part of that. */
  int input;
  /** Which of the stage's outputs it adds to. */
  int output;
  /** [rows, n] */
  long scores;
  /** Of a sparse group: [rows, n] lists of its strongest parameter tokens, then [rows] how many. */
  long lists;
  /** [numPartials, rows, dModel], each the sum over a run of value parameter tokens. */
  long partials, numPartials;
};

/** Rows [from, to) of a group's keys, or of its values, whose sum goes to the partial at `partial`. */
struct DecodeTask {
  const DecodeGroup* group;
  long from, to, partial;
};

/** Groups that run side by side. */
struct DecodeStage {
  const DecodeGroup* groups;
  long numGroups;
  const DecodeTask *keyTasks, *valueTasks;
  long numKeyTasks, numValueTasks;
};

struct DecodeBlock {
  /** Query, key and value (outputs 0, 1, 2); attention output; ffn. */
  DecodeStage project, output, ffn;
  /** [rows, contextLen, dModel]; null without a context. */
  const float *contextKeys, *contextValues;
  /** What each head takes of its context, tanh of its gate, [numHeads]; null where one softmax is over both. */
  const float* shares;
  /** [rows, capacity, dModel], of which `past` are there; the new token's are written behind them. */
  float *cacheKeys, *cacheValues;
};

/** One new token of every row through all blocks. */
struct Decode {
  long rows, dModel, numHeads, half, past, capacity, contextLen;
  WeightMode mode;
  bool tanhForm;
  float epsilon, layerEpsilon;
  /** Of the new token's position, [half]. */
  const float *cosines, *sines;
  const float* x;
  float* output;
  const DecodeBlock* blocks;
  long numBlocks;
  /** Shared scratch memory: [rows, dModel] each of these, then what the groups ask for. */
  long sharedFloats;
};

/** Matrices [rows, dModel] at the start of a decoding step's shared scratch memory. */
enum DecodeRows : int { kDecodeNormed = 0, kDecodeAttended = 1, kDecodeFromContext = 2, kDecodeQuery = 3, kDecodeMatrices = 4 };

struct LinearCrossEntropy {
  long rows, dModel, classes;
  const float *states, *embedding;
  /** In [0, classes) where the weight is not 0. */
  const int32_t* labels;
  const float* weights;
  float* losses;
  /** Null where not wanted. */
  float *dStates, *dEmbedding;
};

/** A part of one parameter; `param`, `m` and `v` are written where they lie. */
struct AdamWPiece {
  float* param;
  const float* gradient;
  float *m, *v;
  long count;
  float decay;
};

struct AdamW {
  float gradientScale, beta1, restOfBeta1, beta2, restOfBeta2, rate, correction, epsilon;
  const AdamWPiece* pieces;
  long numPieces;
};

struct NormPiece {
  const float* x;
  long count;
};

enum class UnaryOp : int {
  square, sqrt, rsqrt, exp, erf, tanh, negate, absolute, relu, sigmoid, reciprocal, log, log1p, step, stepToMinusOne, count
};
/** Those that end in Int are of int32 numbers, which wrap around. */
enum class BinaryOp : int {
  add, subtract, multiply, divide, maximum, minimum, squaredDifference,
  addInt, subtractInt, maximumInt, minimumInt, count
};

constexpr int kMaxRank = 6;

/** Element-wise operation of two operands read with strides (0 or 1 along the last axis), result dense. */
struct Binary {
  BinaryOp op;
  int rank;
  long shape[kMaxRank], strideA[kMaxRank], strideB[kMaxRank];
  const float *a, *b;
  float* out;
};

struct Kernels {
  const char* name;
  void (*matMul)(const Product&);
  void (*pattention)(const Pattention&);
  void (*pattentionGradient)(const Pattention&);
  void (*sparsePattention)(const SparsePattention&);
  void (*routedPattention)(const RoutedPattention&);
  void (*attention)(const Attention&);
  void (*attentionGradient)(const Attention&);
  void (*decode)(const Decode&);
  void (*layerNormalize)(const float* x, float* out, float* inverseDeviation, long rows, long width, float epsilon);
  void (*layerNormalizeGradient)(bool add, const float* dOut, const float* out, const float* inverseDeviation, float* dX,
                                 long rows, long width);
  void (*crossEntropy)(const float* logits, const int32_t* labels, const float* weights, float* losses,
                       float* logSumExp, long rows, long classes);
  void (*crossEntropyGradient)(const float* dLosses, const float* logits, const int32_t* labels, const float* weights,
                               const float* logSumExp, float* dLogits, long rows, long classes);
  void (*linearCrossEntropy)(const LinearCrossEntropy&);
  void (*rotary)(const float* x, float* out, const float* cosines, const float* sines, long batch, long seqLen,
                 long numHeads, long headDim, long half);
  void (*adamW)(const AdamW&);
  /** Σ x² of every piece. */
  void (*squaredNorms)(const NormPiece* pieces, long numPieces, double* sums);
  void (*unary)(UnaryOp op, const float* x, float* out, long count);
  void (*binary)(const Binary&);
  void (*softmax)(const float* x, float* out, long rows, long width);
  /** Index of the first largest number of each row; NaN is passed over unless it comes first. */
  void (*argMax)(const float* x, int32_t* out, long rows, long width);
  /** Sums (times factor) along the rows of [rows, width]. */
  void (*sumRows)(const float* x, float* out, long rows, long width, float factor);
  /** Sums (times factor) over the rows of [outer, rows, width], to [outer, width]. */
  void (*sumColumns)(const float* x, float* out, long outer, long rows, long width, float factor);
  void (*segmentSum)(const float* x, const int32_t* ids, float* out, long rows, long width, long segments);
  /** [batch, rows, columns, width] → [batch, columns, rows, width] of 4-byte numbers. */
  void (*swapAxes)(const float* x, float* out, long batch, long rows, long columns, long width);
};

/** Kernels whose packed products have operands rounded to bf16 and float32 sums; they take the place of those in Kernels. */
struct Bf16Products {
  void (*matMul)(const Product&);
  void (*pattention)(const Pattention&);
  void (*pattentionGradient)(const Pattention&);
  void (*linearCrossEntropy)(const LinearCrossEntropy&);
};

/** The fastest build this processor can run; `limit` names a slower one, nullptr for none. */
const Kernels& chooseKernels(const char* limit);

/** What multiplies bf16: the matrix registers, the vector instruction, or float32 instructions to the same results as that. */
enum class Bf16By { amx, avx512, emulation };

/** Products of that build; nullptr where it cannot do them. */
const Bf16Products* chooseBf16Products(const char* limit, Bf16By by);

/** What is missing for them on this processor; nullptr where nothing is. */
const char* whyNoBf16(Bf16By by);

}  // namespace tokenfuse
