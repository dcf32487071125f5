import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import type { Engine, EngineOptions } from '../shared/index.js';
import { activateBackend, tf } from '../shared/index.js';
import { deviceName } from './deviceName.js';
import { NORM_ACTIVATIONS, WASM_FUSED_KERNELS } from './kernels/index.js';
import { startBackend } from './startBackend.js';

let started: Promise<string> | undefined;

/** As in Node, with the code of the backend and of the kernels from `EngineOptions.wasmCode`. */
export const wasm: Engine = {
  name: 'wasm',
  fusedKernels: WASM_FUSED_KERNELS,
  normActivations: NORM_ACTIVATIONS,
  async probe({ wasmCode }: EngineOptions = {}) {
    if (wasmCode === undefined) return { available: false, why: 'its code was not given', install: 'pass wasmCode' };
    // The code that comes with the page is that for SIMD, which every browser has had since 2023.
    const hasSimd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
    if (!hasSimd) return { available: false, why: 'this browser has no SIMD', install: 'use a newer browser' };
    return { available: true, device: await deviceName() };
  },
  async activate({ wasmCode }: EngineOptions = {}) {
    if (wasmCode !== undefined) started ??= start(wasmCode);
    const kernels = await started;
    await activateBackend('wasm');
    return { device: `${await deviceName()}, ${kernels}`, version: `tfjs ${tf.version_core}` };
  },
};

async function start({ backend, kernels }: NonNullable<EngineOptions['wasmCode']>): Promise<string> {
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  // The backend fetches its code: from memory, so that a page opened as a file can too.
  const place = URL.createObjectURL(new Blob([backend as Uint8Array<ArrayBuffer>], { type: 'application/wasm' }));
  try {
    // It wants all three named and takes that for SIMD; fetched by TensorFlow.js, its code is instantiated where it can be watched.
    const places = ['', '-simd', '-threaded-simd'].map((kind) => [`tfjs-backend-wasm${kind}.wasm`, place]);
    setWasmPaths(Object.fromEntries(places), true);
    return await startBackend(kernels);
  } finally {
    URL.revokeObjectURL(place);
  }
}
