import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { tf } from '../tf.js';
import { loadKernelModule } from './kernelModule.js';
import { adamWKernel } from './kernels/adamWKernel.js';
import { arithmeticKernels } from './kernels/arithmeticKernels.js';
import { attentionKernels } from './kernels/attentionKernels.js';
import { createKernelContext, registerWasmKernels } from './kernels/kernelContext.js';
import { matMulKernel } from './kernels/matMulKernel.js';
import { movementKernels } from './kernels/movementKernels.js';
import { pattentionKernels } from './kernels/pattentionKernels.js';
import { rotaryKernel } from './kernels/rotaryKernel.js';
import { rowKernels } from './kernels/rowKernels.js';
import type { WasmMemory } from './webAssembly.js';

export { prepareWasmMemory } from './wasmMemory.js';
export type { WasmMemory } from './webAssembly.js';

/**
 * Registers this project's SIMD kernels (assembly/) with the running wasm backend, in whose memory they work.
 *
 * Without the memory, or without kernels.wasm, nothing is installed and `reason` says why; the backend works as before,
 * only slower.
 *
 * @param memory as `prepareWasmMemory` caught it while the backend was created
 * @returns the names of the kernels now in place
 */
export async function installWasmKernels(
  memory: WasmMemory | undefined,
): Promise<{ installed: string[]; reason?: string }> {
  const backend = tf.findBackend('wasm') as BackendWasm | null;
  if (backend === null) return { installed: [], reason: 'the wasm backend is not running' };
  const { HEAPU8 } = backend.wasm as unknown as { HEAPU8: Uint8Array };
  if (memory === undefined || memory.buffer !== HEAPU8.buffer) {
    return { installed: [], reason: 'the memory of the wasm backend was not seen when it was created' };
  }
  const module = await loadKernelModule(memory);
  if ('reason' in module) return { installed: [], reason: module.reason };
  const context = createKernelContext(module, backend);
  const kernels = {
    ...matMulKernel(context),
    ...pattentionKernels(context),
    ...attentionKernels(context),
    ...rowKernels(context),
    ...rotaryKernel(context),
    ...adamWKernel(context),
    ...arithmeticKernels(context),
    ...movementKernels(context),
  };
  registerWasmKernels(context, kernels);
  return { installed: Object.keys(kernels) };
}
