import { ConfigError } from '#src/errors';
import type { Engine } from '../shared/index.js';
import { activateBackend, tf } from '../shared/index.js';
import { NATIVE_FUSED_KERNELS, NORM_ACTIVATIONS, nativeKernels } from './kernels/index.js';
import {
  bf16Support,
  describeNative,
  nativeThreads,
  probeNative,
  registerNative,
  setNativeMatmulPrecision,
  setNativeThreads,
} from './runtime.js';

/** This project's own C++ kernels; one thread per physical core by default. */
export const native: Engine = {
  name: 'native',
  fusedKernels: NATIVE_FUSED_KERNELS,
  normActivations: NORM_ACTIVATIONS,
  async probe() {
    return probeNative();
  },
  async activate({ threads = threadsHandedOver() } = {}) {
    registerNative();
    if (threads !== undefined) setNativeThreads(threads);
    await activateBackend('native');
    const version = `tfjs ${tf.version_core}`;
    return { device: describeNative(), version, threads: nativeThreads() };
  },
  matmulPrecision: {
    precisions: ['bf16'],
    needs: 'a processor with AVX512-BF16',
    support: bf16Support,
    set: setNativeMatmulPrecision,
  },
  changeThreads: setNativeThreads,
  kernelOrigins: nativeKernels,
};

/** The share of threads that a parent process assigned to this one. */
function threadsHandedOver(): number | undefined {
  const text = process.env.TOKENFUSE_THREADS;
  if (text === undefined || text === '') return undefined;
  const threads = Number(text);
  if (/^\d+$/.test(text) && threads >= 1 && threads <= 1024) return threads;
  throw new ConfigError(`TOKENFUSE_THREADS: expected a whole number from 1 to 1024, got '${text}'`);
}

export { loadAddon } from './addon.js';
