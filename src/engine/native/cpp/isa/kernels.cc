/** All kernels, compiled once for each instruction set. */
#include "attention.h"
#include "decode.h"
#include "elementwise.h"
#include "linearCrossEntropy.h"
#include "matMul.h"
#include "optimizer.h"
#include "pattentionGradient.h"
#include "routedPattention.h"
#include "sparsePattention.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

extern const Kernels kernels;
const Kernels kernels = {
    TOKENFUSE_ISA_NAME, matMul,         pattention,   pattentionGradient,   sparsePattention, routedPattention,
    attention,          attentionGradient, decode,
    layerNormalize,     layerNormalizeGradient, crossEntropy, crossEntropyGradient, linearCrossEntropy, rotary,    adamW,
    squaredNorms,
    unary,              binary,         softmax,      argMax,       sumRows,              sumColumns, segmentSum,
    swapAxes,
};

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
