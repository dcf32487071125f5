export {
  type Bf16Support,
  ENGINE_NAMES,
  type Engine,
  type EngineInfo,
  type EngineName,
  type EngineOptions,
  type EngineProbe,
  type KernelOrigins,
  MATMUL_PRECISIONS,
  type MatmulPrecision,
} from './engine.js';
export { changeThreads, ENGINES, engineAtWork } from './engines.js';
export {
  type BlockAttributes,
  FUSED_KERNEL_NAMES,
  FUSED_KERNELS,
  type FusedBlockAttributes,
  type FusedKernel,
  type KernelAttributes,
  type KernelInputs,
  type KernelOutputs,
  type KernelSupport,
} from './kernelContract.js';
export { atMatmulPrecision, requireBf16 } from './matmulPrecision.js';
export { measureMatmul } from './measureMatmul.js';
export { readScalar } from './readScalar.js';
export { describeEngine, selectEngine } from './selectEngine.js';
export { tf } from './tf.js';
