import os from 'node:os';
import { ConfigError } from '#src/errors';
import type { EngineProbe, MatmulPrecision, PrecisionSupport } from '../shared/index.js';
import { tf } from '../shared/index.js';
import { type Addon, type AddonFailure, type Bf16By, KERNELS, loadAddon } from './addon.js';
import { createNativeBackend } from './backend.js';
import { installNativeKernels } from './kernels/index.js';
import { createMemoryPool } from './memoryPool.js';

/** Free memory kept for the next step, at most: a quarter of the machine's, and no more than 4 GiB. */
const KEPT_BYTES = Math.min(os.totalmem() / 4, (process.constrainedMemory() || os.totalmem()) / 4, 4 * 2 ** 30);

let loaded: ReturnType<typeof loadAddon> | undefined;
/** The processor's instruction set that the kernels use. */
let instructions = '';

/** The compiled kernels, loaded once, with one thread per core that this process may use. */
function addonOrReason(): Addon | AddonFailure {
  if (loaded === undefined) {
    loaded = loadAddon();
    if (!('reason' in loaded)) {
      instructions = loaded.choose();
      loaded.setThreads(defaultThreads(loaded));
    }
  }
  return loaded;
}

function defaultThreads(addon: Addon): number {
  return Math.max(1, Math.min(addon.physicalCores(), os.availableParallelism()));
}

function addonOrThrow(): Addon {
  const addon = addonOrReason();
  if ('reason' in addon) throw new Error(`native engine: ${addon.reason}`);
  return addon;
}

/** Whether the native engine can work here, and on what. */
export function probeNative(): EngineProbe {
  const addon = addonOrReason();
  return 'reason' in addon
    ? { available: false, why: addon.reason, install: `${addon.remedy}; until then use wasm` }
    : { available: true, device: deviceOf(addon) };
}

/** The processor's instruction set that is used, and the threads. */
export function describeNative(): string {
  return deviceOf(addonOrThrow());
}

function deviceOf(addon: Addon): string {
  const threads = addon.threads();
  return `CPU, ${threads} thread${threads === 1 ? '' : 's'}, ${instructions}`;
}

/** Sets the number of worker threads, the calling one among them; results do not depend on it. */
export function setNativeThreads(threads: number): void {
  addonOrThrow().setThreads(threads);
}

/** Worker threads, the calling one among them. */
export function nativeThreads(): number {
  return addonOrThrow().threads();
}

/** The fastest way to compute bf16 products here, or what is missing. TOKENFUSE_EMULATE_BF16=1 asks for emulation by float32 instructions. */
export function bf16Support(): { readonly by: Bf16By } | { readonly missing: string } {
  const addon = addonOrReason();
  if ('reason' in addon) return { missing: `native is ${addon.reason}` };
  const emulates = emulatesBf16();
  if (!emulates && addon.whyNoBf16('AMX') === '') return { by: 'AMX' };
  const by = emulates ? 'emulation' : 'AVX512-BF16';
  const missing = addon.whyNoBf16(by);
  return missing === '' ? { by } : { missing };
}

function emulatesBf16(): boolean {
  const setting = process.env.TOKENFUSE_EMULATE_BF16 ?? '';
  if (['', '0', '1'].includes(setting)) return setting === '1';
  throw new ConfigError(`TOKENFUSE_EMULATE_BF16: expected 1 or 0, got '${setting}'`);
}

/**
 * Sets the precision of products from now on. bf16 applies to those of matrices, Pattention and
 * the linear cross-entropy, of more than four rows; attention and everything else stay float32.
 *
 * @throws RangeError where there are none in bf16
 */
export function setNativeMatmulPrecision(precision: MatmulPrecision): void {
  const addon = addonOrThrow();
  if (precision === 'highest') {
    addon.setMatmulPrecision('highest');
    return;
  }
  const support: PrecisionSupport = precision === 'bf16' ? bf16Support() : { missing: 'engine native' };
  if ('missing' in support) throw new RangeError(`matmulPrecision ${precision}: ${support.missing}`);
  addon.setMatmulPrecision(support.by as Bf16By);
}

/**
 * Registers the backend 'native' with TensorFlow.js, once; `tf.setBackend('native')` then starts it.
 *
 * @throws Error when the compiled kernels are not there
 */
export function registerNative(): void {
  const addon = addonOrThrow();
  if (tf.findBackendFactory('native') != null) return;
  tf.registerBackend('native', () => {
    const backend = createNativeBackend(createMemoryPool(addon, KEPT_BYTES));
    installNativeKernels(addon, backend);
    return backend;
  });
}

/** Reports every call of a compiled kernel from now on, for profiles: it returns when its work is done. */
export function timeNativeCalls(report: (name: string, milliseconds: number) => void): void {
  const addon = addonOrThrow() as { -readonly [Name in keyof Addon]: Addon[Name] };
  for (const name of KERNELS) {
    const call = addon[name];
    addon[name] = (...args) => {
      const start = performance.now();
      call(...args);
      report(name, performance.now() - start);
    };
  }
}
