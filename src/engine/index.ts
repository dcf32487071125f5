export { doctorCommand } from './doctorCommand.js';
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
export { changeThreads, nativeBf16 } from './native.js';
export { readScalar } from './readScalar.js';
export { describeEngine, selectEngine } from './selectEngine.js';
export { tf } from './tf.js';
