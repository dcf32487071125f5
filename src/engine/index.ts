export { describeCuda } from './cuda/index.js';
export { changeThreads, ENGINES, engineAtWork } from './engines.js';
export { atMatmulPrecision, precisionSupport, requirePrecision, requirePrecisionSomewhere } from './matmulPrecision.js';
export { measureMatmul } from './measureMatmul.js';
export { readScalar } from './readScalar.js';
export { describeEngine, selectEngine } from './selectEngine.js';
export {
  type BlockAttributes,
  type ComputationRecorder,
  ENGINE_NAMES,
  type EngineInfo,
  type EngineName,
  type EngineOptions,
  FUSED_KERNEL_NAMES,
  FUSED_KERNELS,
  type FusedKernel,
  type InputArray,
  inputTensor,
  type KernelAttributes,
  type KernelInputs,
  type KernelOrigins,
  type KernelOutputs,
  type KernelSupport,
  MATMUL_PRECISIONS,
  type MatmulPrecision,
  type PrecisionSupport,
  type RecordedComputation,
  type ReducedPrecision,
  tf,
} from './shared/index.js';
