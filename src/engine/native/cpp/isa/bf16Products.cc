/**
 * The kernels of large products once more, in bf16: compiled for AVX512-BF16, and without it to the same results by
 * float32 instructions, for tests and loss curves on other processors.
 */
#define TOKENFUSE_BF16
// Of the headers' kernels only these four are wanted.
#pragma GCC diagnostic ignored "-Wunused-function"
#include "linearCrossEntropy.h"
#include "matMul.h"
#include "pattentionGradient.h"

namespace tokenfuse {
namespace TOKENFUSE_ISA {

extern const Bf16Products bf16Products;
const Bf16Products bf16Products = {matMul, pattention, pattentionGradient, linearCrossEntropy};

}  // namespace TOKENFUSE_ISA
}  // namespace tokenfuse
