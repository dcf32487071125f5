/** @file What engines share. */

export { activateBackend } from './activateBackend.js';
export { axisSwap } from './axisSwap.js';
export { runInChild } from './childProbe.js';
export {
  type ComputationRecorder,
  ENGINE_NAMES,
  type Engine,
  type EngineInfo,
  type EngineName,
  type EngineOptions,
  type EngineProbe,
  type KernelOrigins,
  MATMUL_PRECISIONS,
  type MatmulPrecision,
  type PrecisionSupport,
  type RecordedComputation,
  type ReducedPrecision,
} from './engine.js';
export { type InputArray, inputTensor, inputType } from './inputArray.js';
export {
  type AttentionAttributes,
  type BlockAttributes,
  FUSED_KERNEL_NAMES,
  FUSED_KERNELS,
  type FusedBlockAttributes,
  type FusedKernel,
  type FusedKernelDeclarations,
  type FusedKernelFunctions,
  type KernelAttributes,
  type KernelInputs,
  type KernelOutputs,
  type KernelSupport,
  type NormActivationAttributes,
  type TransformerBlockAttributes,
} from './kernelContract.js';
export { batchPlaces, matMulShapes } from './matMulShapes.js';
export { forNormActivations } from './normActivations.js';
export { findPackage } from './optionalPackage.js';
export {
  callKernel,
  callOne,
  type KernelResult,
  type PlainKernel,
  registerKernels,
  repairKernels,
  type ShippedKernel,
  type StockAttributes,
  type StockKernels,
  type Tensors,
} from './registerKernels.js';
export { rotaryTable, rotaryTables } from './rotaryTable.js';
export { tf } from './tf.js';
