import { UserError } from '#src/errors';
import { activateBackend, tf } from '../shared/index.js';
import { installWasmKernels } from './kernels/index.js';
import { repairWasmKernels } from './repairs.js';
import { prepareWasmMemory } from './wasmMemory.js';

/** Addresses are 32 bits wide; the last page is kept free. */
const ADDRESS_LIMIT = 2 ** 32 - 65536;

/**
 * Starts the wasm backend with this project's kernels and repairs; this must run once. Where the backend's own code is
 * must have been said before, by `setWasmPaths`.
 *
 * @param kernels bytes of kernels.wasm, or why there are none
 * @returns what the device line says of the fused kernels
 */
export async function startBackend(kernels: Uint8Array | { readonly reason: string }): Promise<string> {
  const endWatch = prepareWasmMemory();
  let memory: ReturnType<typeof endWatch>;
  try {
    await activateBackend('wasm');
  } finally {
    memory = endWatch();
  }
  refuseFailedAllocations();
  const { installed, reason } = await installWasmKernels(memory, kernels);
  repairWasmKernels(installed);
  return installed.length > 0 ? 'fused kernels' : `plain kernels: ${reason}`;
}

/** The allocator of the wasm module; addresses are in bytes. */
interface Allocator {
  readonly HEAPU8: Uint8Array;
  _malloc(numBytes: number): number;
  _free(address: number): void;
}

/**
 * Makes an allocation beyond the 4 GiB of a 32-bit address space an error. As shipped, `_malloc` answers 0 (or wraps
 * around), and the tensor silently overwrites other memory.
 */
function refuseFailedAllocations(): void {
  const { wasm: instance } = tf.backend() as unknown as { wasm: Allocator };
  // The loader installs the real function at the first call, which would undo an earlier replacement.
  instance._free(instance._malloc(1));
  const malloc = instance._malloc;
  instance._malloc = (numBytes) => {
    const address = numBytes < ADDRESS_LIMIT ? malloc(numBytes) : 0;
    // Addresses are signed; after a wrap-around the block's end lies beyond the memory.
    const fits = address !== 0 && (address >>> 0) + numBytes <= instance.HEAPU8.length;
    if (!fits && numBytes > 0) {
      const need = `${(numBytes / 2 ** 20).toFixed(1)} MiB more`;
      throw new UserError(
        `engine wasm: expected to fit in 4 GiB, got a tensor of ${need}; take a smaller batch or model`,
      );
    }
    return address;
  };
}
