import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { FusedKernelFunctions } from '../../shared/index.js';
import { registerKernels, tf } from '../../shared/index.js';
import { adamWKernel } from './adamWKernel.js';
import { arithmeticKernels } from './arithmeticKernels.js';
import { attentionKernels } from './attentionKernels.js';
import type { WASM_FUSED_KERNELS } from './fusedKernels.js';
import { createKernelContext, keepStockKernels } from './kernelContext.js';
import { loadKernelModule } from './kernelModule.js';
import { matMulKernel } from './matMulKernel.js';
import { movementKernels } from './movementKernels.js';
import { pattentionKernels } from './pattentionKernels.js';
import { rotaryKernel } from './rotaryKernel.js';
import { rowKernels } from './rowKernels.js';
import type { WasmMemory } from './webAssembly.js';

/**
 * Registers this project's SIMD kernels (assembly/) with the running wasm backend, in whose memory they work.
 *
 * Without the memory, or without the code, nothing is installed and `reason` says why; the backend works as before,
 * only slower.
 *
 * @param memory as `prepareWasmMemory` caught it while the backend was created
 * @param kernels bytes of kernels.wasm, or why there are none
 * @returns the names of the kernels now in place
 */
export async function installWasmKernels(
  memory: WasmMemory | undefined,
  kernels: Uint8Array | { readonly reason: string },
): Promise<{ installed: string[]; reason?: string }> {
  const backend = tf.findBackend('wasm') as BackendWasm | null;
  if (backend === null) return { installed: [], reason: 'the wasm backend is not running' };
  const { HEAPU8 } = backend.wasm as unknown as { HEAPU8: Uint8Array };
  if (memory === undefined || memory.buffer !== HEAPU8.buffer) {
    return { installed: [], reason: 'the memory of the wasm backend was not seen when it was created' };
  }
  const module = 'reason' in kernels ? kernels : await loadKernelModule(memory, kernels);
  if ('reason' in module) return { installed: [], reason: module.reason };
  const context = createKernelContext(module, backend);
  const fused: FusedKernelFunctions<keyof typeof WASM_FUSED_KERNELS> = {
    ...pattentionKernels(context),
    ...attentionKernels(context),
    ...rowKernels(context),
    ...rotaryKernel(context),
    ...adamWKernel(context),
  };
  const all = {
    ...fused,
    ...matMulKernel(context),
    ...arithmeticKernels(context),
    ...movementKernels(context),
  };
  keepStockKernels(Object.keys(all));
  registerKernels('wasm', all, (kernelName, running, run) => {
    // Another instance of the backend has another memory, and the addresses would mean nothing there.
    if (running !== backend) throw new Error(`${kernelName}: expected the wasm backend it was installed for`);
    return run();
  });
  return { installed: Object.keys(all) };
}
export { NORM_ACTIVATIONS, WASM_FUSED_KERNELS } from './fusedKernels.js';
export { type WasmMemory, webAssembly } from './webAssembly.js';
