import { ConfigError } from '#src/errors';
import { activateBackend } from '../activateBackend.js';
import type { Engine } from '../engine.js';
import { tf } from '../tf.js';
import type { NativeKernels } from './installKernels.js';
import * as runtime from './runtime.js';
import type { Tf } from './tensorFlow.js';

export type { NativeKernels } from './installKernels.js';
export type { Bf16Support } from './runtime.js';

const build = import.meta.url.includes('/node_modules/') ? 'npm rebuild tokenfuse' : 'npm run build';
const install = `install a C++ compiler (g++ or clang++) and run \`${build}\`; until then wasm serves`;

/** This project's own C++ kernels, with one thread per physical core unless told otherwise. */
export const native: Engine = {
  name: 'native',
  async probe() {
    const result = runtime.probeNative();
    return result.available ? result : { ...result, install };
  },
  async activate({ threads = threadsHandedOver() } = {}) {
    runtime.registerNative(tf as unknown as Tf);
    if (threads !== undefined) runtime.setNativeThreads(threads);
    await activateBackend('native');
    const version = `tfjs ${tf.version_core}`;
    return { device: runtime.describeNative(), version, threads: runtime.nativeThreads() };
  },
};

/** The kernels of the running native backend; none before it was started. */
export function nativeKernels(): NativeKernels {
  return runtime.nativeKernels(tf);
}

/** Changes the number of threads while the native engine is at work; results do not depend on it. Others have no choice. */
export function changeThreads(threads: number): void {
  if (nativeAtWork()) runtime.setNativeThreads(threads);
}

/** Whether this machine's native engine, started or not, has products in bf16. */
export function nativeBf16(): runtime.Bf16Support {
  return runtime.bf16Support();
}

/** The native engine's module; undefined when another engine is at work. */
export function nativeAtWork(): typeof runtime | undefined {
  return tf.getBackend() === 'native' ? runtime : undefined;
}

/** What a process that shares the machine with others was told by the one that started it. */
function threadsHandedOver(): number | undefined {
  const text = process.env.TOKENFUSE_THREADS;
  if (text === undefined || text === '') return undefined;
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw new ConfigError(`TOKENFUSE_THREADS: expected a whole number from 1 to 1024, got '${text}'`);
}
