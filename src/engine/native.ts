import { ConfigError } from '#src/errors';
import { activateBackend } from './activateBackend.js';
import type { Engine } from './engine.js';
import { tf } from './tf.js';

/** What native/index.ts exports, as far as it is needed here; src does not depend on that folder. */
interface NativeModule {
  probeNative(): { available: true; device: string } | { available: false; why: string };
  describeNative(): string;
  setNativeThreads(threads: number): void;
  registerNative(tensorflow: typeof tf): void;
}

const install = 'install a C++ compiler (g++ or clang++) and run `npm run build`; until then wasm serves';

/** This project's own C++ kernels, on all cores; TOKENFUSE_THREADS sets another number of threads. */
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
  async activate() {
    const module = await load();
    const threads = threadsAskedFor();
    module.registerNative(tf);
    if (threads !== undefined) module.setNativeThreads(threads);
    await activateBackend('native');
    return { device: module.describeNative(), version: `tfjs ${tf.version.tfjs}` };
  },
};

/** Loaded when first asked for. */
async function load(): Promise<NativeModule> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return await import(new URL(`../../native/index.${extension}`, import.meta.url).href);
}

function threadsAskedFor(): number | undefined {
  const text = process.env.TOKENFUSE_THREADS;
  if (text === undefined || text === '') return undefined;
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw new ConfigError(`TOKENFUSE_THREADS: expected a whole number from 1 to 1024, got '${text}'`);
}
