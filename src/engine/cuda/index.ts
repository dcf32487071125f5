import type { ComputationRecorder, Engine, MatmulPrecision, PrecisionSupport } from '../shared/index.js';
import { activateBackend, tf } from '../shared/index.js';
import { createCudaBackend } from './backend.js';
import { checkCacheFolder } from './cubinCache.js';
import { createDeviceMemory } from './deviceMemory.js';
import {
  CUDA_FUSED_KERNELS,
  createCommands,
  createKernelContext,
  cudaKernels,
  installCudaKernels,
  NORM_ACTIVATIONS,
} from './kernels/index.js';
import { createRecorder } from './recorder.js';
import { architecture, type Cuda, graphUse, openCuda } from './runtime.js';

/** Of products just now. */
let precision: MatmulPrecision = 'highest';

/** Of the running backend. */
let recorder: ComputationRecorder | undefined;

/** An NVIDIA card, through the driver, NVRTC and cuBLASLt; this project's own kernels. */
export const cuda: Engine = {
  name: 'cuda',
  computesAside: true,
  fusedKernels: CUDA_FUSED_KERNELS,
  normActivations: NORM_ACTIVATIONS,
  async probe() {
    const opened = openCuda();
    if ('reason' in opened) return { available: false, why: opened.reason, install: opened.remedy };
    return { available: true, device: describe(opened) };
  },
  async activate() {
    checkCacheFolder();
    const opened = openOrThrow();
    // Wrong settings are refused now rather than when the first kernel is asked for.
    architecture(opened.facts);
    graphUse();
    registerCuda(opened);
    await activateBackend('cuda');
    const { driverVersion, nvrtcVersion, cublasLtVersion } = opened.facts;
    const libraries = `driver ${dotted(driverVersion)}, nvrtc ${nvrtcVersion}, cublasLt ${cublasLtVersion}`;
    return { device: describe(opened), version: `tfjs ${tf.version_core}, ${libraries}` };
  },
  matmulPrecision: {
    precisions: ['tf32', 'bf16'],
    needs: 'a card of compute capability 8.0',
    support: precisionSupport,
    set: (wanted) => {
      const support = wanted === 'highest' ? undefined : precisionSupport();
      if (support !== undefined && 'missing' in support) {
        throw new RangeError(`matmulPrecision ${wanted}: ${support.missing}`);
      }
      precision = wanted;
    },
  },
  kernelOrigins: cudaKernels,
  recorder: () => recorder,
};

/** Every card that the engine works on has tensor cores for both precisions. */
function precisionSupport(): PrecisionSupport {
  const opened = openCuda();
  return 'reason' in opened ? { missing: `cuda does not work: ${opened.reason}` } : { by: 'tensor cores' };
}

function openOrThrow(): Cuda {
  const opened = openCuda();
  if ('reason' in opened) throw new Error(`cuda engine: ${opened.reason}`);
  return opened;
}

function describe({ facts: { card, memory, capability } }: Cuda): string {
  return `${card}, ${(memory / 2 ** 30).toFixed(0)} GiB, compute capability ${(capability / 10).toFixed(1)}`;
}

/** 13000 → 13.0. */
function dotted(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

/** Registers the backend 'cuda' with TensorFlow.js, once; `tf.setBackend('cuda')` then starts it. */
function registerCuda({ addon, facts, kernel }: Cuda): void {
  if (tf.findBackendFactory('cuda') != null) return;
  tf.registerBackend('cuda', () => {
    const commands = createCommands(addon);
    const memory = createDeviceMemory(addon, commands);
    const backend = createCudaBackend(addon, memory);
    const graphs = graphUse();
    const settings = { precision: () => precision, usesGraphs: graphs !== 'off' };
    installCudaKernels(createKernelContext({ addon, facts, backend, commands, memory, kernel, ...settings }));
    recorder = graphs === 'off' ? undefined : createRecorder({ addon, backend, memory }, graphs);
    return backend;
  });
}

export { describeCuda } from './report.js';
