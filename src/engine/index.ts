export { doctorCommand } from './doctorCommand.js';
export { ENGINE_NAMES, type EngineInfo, type EngineName, type EngineOptions, type EngineProbe } from './engine.js';
export { FUSED_KERNELS, type FusedKernel } from './fusedKernels.js';
export { measureMatmul } from './measureMatmul.js';
export { changeThreads } from './native.js';
export { readScalar } from './readScalar.js';
export { describeEngine, selectEngine } from './selectEngine.js';
export { tf } from './tf.js';
