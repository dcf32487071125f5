import { ConfigError } from '#src/errors';
import { activateBackend } from './activateBackend.js';
import type { Engine, MatmulPrecision } from './engine.js';
import { tf } from './tf.js';

/** Kernel names of TensorFlow.js and of this project: those in C++, and those left to plain JavaScript. */
export interface NativeKernels {
  readonly compiled: readonly string[];
  readonly javaScript: readonly string[];
}

/** What native/index.ts exports, as far as it is needed here; src does not depend on that folder. */
interface NativeModule {
  probeNative(): { available: true; device: string } | { available: false; why: string };
  describeNative(): string;
  setNativeThreads(threads: number): void;
  nativeThreads(): number;
  nativeKernels(tensorflow: typeof tf): NativeKernels;
  registerNative(tensorflow: typeof tf): void;
  bf16Support(): Bf16Support;
  setNativeMatmulPrecision(precision: MatmulPrecision): void;
}

/** Products in bf16: by the processor, in a slow imitation of it (for tests), or what is missing for them. */
export type Bf16Support = { readonly by: 'AMX' | 'AVX512-BF16' | 'emulation' } | { readonly missing: string };

const build = import.meta.url.includes('/node_modules/') ? 'npm rebuild tokenfuse' : 'npm run build';
const install = `install a C++ compiler (g++ or clang++) and run \`${build}\`; until then wasm serves`;

/** This project's own C++ kernels, with one thread per physical core unless told otherwise. */
export const native: Engine = {
  name: 'native',
  async probe() {
    try {
      const result = (await load()).probeNative();
      return result.available ? result : { ...result, install };
    } catch (error) {
      return { available: false, why: `does not load: ${(error as Error).message.split('\n')[0]}`, install };
    }
  },
  async activate({ threads = threadsHandedOver() } = {}) {
    const module = await load();
    module.registerNative(tf);
    if (threads !== undefined) module.setNativeThreads(threads);
    await activateBackend('native');
    const version = `tfjs ${tf.version.tfjs}`;
    return { device: module.describeNative(), version, threads: module.nativeThreads() };
  },
};

/** The kernels of the running native backend; none before it was started. */
export async function nativeKernels(): Promise<NativeKernels> {
  return (await load()).nativeKernels(tf);
}

/** Changes the number of threads while the native engine is at work; results do not depend on it. Others have no choice. */
export async function changeThreads(threads: number): Promise<void> {
  if (tf.getBackend() === 'native') (await load()).setNativeThreads(threads);
}

/** Whether this machine's native engine, started or not, has products in bf16. */
export async function nativeBf16(): Promise<Bf16Support> {
  return (await load()).bf16Support();
}

let loaded: NativeModule | undefined;

/** The native engine's module; undefined when another engine is at work. */
export function nativeAtWork(): NativeModule | undefined {
  return tf.getBackend() === 'native' ? loaded : undefined;
}

/** Loaded when first asked for. */
async function load(): Promise<NativeModule> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  loaded = await (import(new URL(`../../native/index.${extension}`, import.meta.url).href) as Promise<NativeModule>);
  return loaded;
}

/** What a process that shares the machine with others was told by the one that started it. */
function threadsHandedOver(): number | undefined {
  const text = process.env.TOKENFUSE_THREADS;
  if (text === undefined || text === '') return undefined;
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw new ConfigError(`TOKENFUSE_THREADS: expected a whole number from 1 to 1024, got '${text}'`);
}
