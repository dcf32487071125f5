/** What an instruction set's build of the kernels offers; the arguments are checked before they come here. */
#pragma once
#include <cstddef>
#include <cstdint>

namespace tokenfuse {

struct Product {
  long batch, m, n, k;
  bool transposeA, transposeB;
  /** Floats from one matrix of the batch to the next; 0 where all share one. */
  long strideA, strideB;
  const float *a, *b;
  float* c;
};

enum class WeightMode : int { l2NormGelu = 0, geluL2Norm = 1, softmax = 2 };

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
  void (*attention)(const Attention&);
  void (*attentionGradient)(const Attention&);
  void (*layerNormalize)(const float* x, float* out, float* inverseDeviation, long rows, long width, float epsilon);
  void (*layerNormalizeGradient)(const float* dOut, const float* out, const float* inverseDeviation, float* dX,
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

/** The fastest build this processor can run; `limit` names a slower one, nullptr for none. */
const Kernels& chooseKernels(const char* limit);

}  // namespace tokenfuse
