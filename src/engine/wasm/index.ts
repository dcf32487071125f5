import type { EventEmitter } from 'node:events';
import { dirname, sep } from 'node:path';
import type { Engine } from '../shared/index.js';
import { activateBackend, findPackage } from '../shared/index.js';
import { deviceName } from './deviceName.js';
import { NORM_ACTIVATIONS, WASM_FUSED_KERNELS } from './kernels/index.js';
import { readKernels } from './readKernels.js';
import { startBackend } from './startBackend.js';

const PACKAGE = '@tensorflow/tfjs-backend-wasm';

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

async function start(): Promise<string> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(dirname(findPackage(PACKAGE)!.main) + sep);
  const withdrawHandlers = watchErrorHandlers();
  try {
    return await startBackend(readKernels());
  } finally {
    withdrawHandlers();
  }
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
