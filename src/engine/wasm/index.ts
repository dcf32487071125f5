import type { EventEmitter } from 'node:events';
import { dirname, sep } from 'node:path';
import { UserError } from '#src/errors';
import type { Engine } from '../shared/index.js';
import { activateBackend, findPackage, tf } from '../shared/index.js';
import { installWasmKernels, NORM_ACTIVATIONS, WASM_FUSED_KERNELS } from './kernels/index.js';
import { repairWasmKernels } from './repairs.js';
import { prepareWasmMemory } from './wasmMemory.js';

const PACKAGE = '@tensorflow/tfjs-backend-wasm';
/** Addresses are 32 bits wide; the last page is kept free. */
const ADDRESS_LIMIT = 2 ** 32 - 65536;

/** Resolves to what the device line says of the fused kernels. */
let started: Promise<string> | undefined;

/** WebAssembly with SIMD on one thread (TensorFlow.js has no wasm threads in Node), repaired so that models train. */
export const wasm: Engine = {
  name: 'wasm',
  fusedKernels: WASM_FUSED_KERNELS,
  normActivations: NORM_ACTIVATIONS,
  async probe() {
    if (findPackage(PACKAGE) === undefined) {
      return { available: false, why: `${PACKAGE} is not installed`, install: 'run npm ci' };
    }
    return { available: true, device: await deviceName() };
  },
  async activate() {
    started ??= start();
    const kernels = await started;
    await activateBackend('wasm');
    return { device: `${await deviceName()}, ${kernels}`, version: `${PACKAGE} ${findPackage(PACKAGE)?.version}` };
  },
};

async function deviceName(): Promise<string> {
  await import('@tensorflow/tfjs-backend-wasm');
  return `CPU, 1 thread, ${(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')) ? 'SIMD' : 'no SIMD'}`;
}

async function start(): Promise<string> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(dirname(findPackage(PACKAGE)!.main) + sep);
  const withdrawHandlers = watchErrorHandlers();
  const endWatch = prepareWasmMemory();
  let memory: ReturnType<typeof endWatch>;
  try {
    await activateBackend('wasm');
  } finally {
    memory = endWatch();
    withdrawHandlers();
  }
  refuseFailedAllocations();
  const { installed, reason } = await installWasmKernels(memory);
  repairWasmKernels(installed);
  return installed.length > 0 ? 'fused kernels' : `plain kernels: ${reason}`;
}

/**
 * Returns a function that removes the process-wide error handlers added since. The wasm loader adds two that throw every
 * uncaught error again from inside its package, which hides the place and turns exit code 1 into 7.
 */
function watchErrorHandlers(): () => void {
  const events = ['uncaughtException', 'unhandledRejection'];
  const emitter: EventEmitter = process;
  const before = events.map((event) => emitter.listeners(event));
  return () => {
    for (const [i, event] of events.entries()) {
      for (const listener of emitter.listeners(event)) {
        if (!before[i].includes(listener)) emitter.removeListener(event, listener as () => void);
      }
    }
  };
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
