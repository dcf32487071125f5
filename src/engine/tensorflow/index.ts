import { createRequire } from 'node:module';
import type { Engine, EngineOptions } from '../shared/index.js';
import { activateBackend, findPackage, runInChild, tf } from '../shared/index.js';

/** Of both, the one for GPUs is loaded where it is installed; the other may be built for a GPU too (docs/engines.md). */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];
const INSTALL = `run npm install ${PACKAGES[0]} (CUDA 11.2, cuDNN 8.1)`;
const LIBRARIES = 'install CUDA 11.2 and cuDNN 8.1, which libtensorflow 2.9 loads';
const NO_GPU = {
  available: false,
  why: 'libtensorflow finds no CUDA device (its CPU: --allow-software-adapter)',
  install: LIBRARIES,
} as const;

const PROBE = `
  import { createRequire } from 'node:module';
  const tf = createRequire(process.argv[1])(process.argv[1]);
  console.log(JSON.stringify({ gpu: tf.backend().isUsingGpuDevice === true }));
`;

/** TensorFlow's C library through tfjs-node-gpu or tfjs-node, optional dependencies; a CUDA device only, unless told otherwise. */
export const tensorflow: Engine = {
  name: 'tensorflow',
  fusedKernels: {},
  normActivations: [],
  async probe({ allowSoftwareAdapter = false }: EngineOptions = {}) {
    const found = findTfjsNode();
    if (found === undefined) return { available: false, why: 'tfjs-node-gpu is not installed', install: INSTALL };
    prepareEnvironment();
    const result = await runInChild(PROBE, found.main);
    if ('failure' in result) return { available: false, ...loadFailure(result.failure, found.name) };
    const gpu = (result.value as { gpu: boolean }).gpu;
    return gpu || allowSoftwareAdapter ? { available: true, device: deviceName(gpu) } : NO_GPU;
  },
  async activate({ allowSoftwareAdapter = false }: EngineOptions = {}) {
    prepareEnvironment();
    restoreUtilFunctions();
    const { name, version } = findTfjsNode() ?? { name: PACKAGES[0], version: 'unknown' };
    await import(name);
    await activateBackend('tensorflow');
    const gpu = (tf.backend() as unknown as { isUsingGpuDevice: boolean }).isUsingGpuDevice;
    if (!gpu && !allowSoftwareAdapter) throw new Error(NO_GPU.why);
    return { device: deviceName(gpu), version: `${name} ${version}` };
  },
};

function findTfjsNode(): { name: string; main: string; version: string } | undefined {
  for (const name of PACKAGES) {
    const found = findPackage(name);
    if (found !== undefined) return { name, ...found };
  }
  return undefined;
}

/** What is installed and does not load: its own parts are missing, or the libraries of the system that it needs. */
export function loadFailure(failure: string, name: string): { why: string; install: string } {
  const isIncomplete = /can ?not be found|Cannot find module|tfjs_binding|libtensorflow/.test(failure);
  return {
    why: `${name} is installed and does not load: ${failure}`,
    install: isIncomplete ? `run npm rebuild ${name}: its installation did not finish` : LIBRARIES,
  };
}

function deviceName(gpu: boolean): string {
  return gpu ? 'GPU (CUDA)' : 'CPU (libtensorflow)';
}

/** What libtensorflow reads once, when it is loaded; what the user has set stays. */
function prepareEnvironment(): void {
  const { env } = process;
  // Equal input gives equal bits; costs some speed. Covers the gradient of `gather` since TensorFlow 2.7.
  env.TF_DETERMINISTIC_OPS ??= '1';
  // Not the whole memory of the GPU at once.
  env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  // Errors only.
  env.TF_CPP_MIN_LOG_LEVEL ??= '2';
}

/** tfjs-node calls two functions of `node:util` that Node 23 removed (tfjs issue #8425, fixed but never released). */
function restoreUtilFunctions(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown): boolean => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}
