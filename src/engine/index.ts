export {
  ENGINE_NAMES,
  type EngineInfo,
  type EngineName,
  type EngineOptions,
  type EngineProbe,
  MATMUL_PRECISIONS,
  type MatmulPrecision,
} from './engine.js';
export { FUSED_KERNELS, type FusedKernel } from './fusedKernels.js';
export { atMatmulPrecision, requireBf16 } from './matmulPrecision.js';
export { measureMatmul } from './measureMatmul.js';
export { type Bf16Support, changeThreads, type NativeKernels, nativeBf16, nativeKernels } from './native/index.js';
export { readScalar } from './readScalar.js';
export { describeEngine, ENGINES, selectEngine } from './selectEngine.js';
export { tf } from './tf.js';
