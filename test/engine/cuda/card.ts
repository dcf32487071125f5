import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import type { CudaBackend } from '../../../src/engine/cuda/backend.js';
import { loadCudaAddon } from '../../../src/engine/cuda/runtime.js';

const here = dirname(fileURLToPath(import.meta.url));

/** Of the emulated card: the libraries' folder. */
const FOLDER = join(here, '../../../dist/test/engine/cuda/emulator');

/** '1' for a real card, 'emulated', or '': suites of cuda alone run on the emulated one where it can be compiled. */
const asked = process.env.TOKENFUSE_TEST_CUDA ?? '';

/** Compiles the emulated card and has the engine use it; says why that cannot be. */
function useEmulatedCard(): string | undefined {
  const addon = loadCudaAddon();
  if ('reason' in addon) return addon.reason;
  const line = execFileSync(process.execPath, [join(here, 'emulator/build.mjs')], { encoding: 'utf8' });
  if (line.includes('absent')) return line.trim();
  process.env.TOKENFUSE_CUDA = FOLDER;
  process.env.TOKENFUSE_CUDA_CACHE = join(FOLDER, 'cache');
  return undefined;
}

/** Whether the suites that run on each engine take cuda in: its absence is a failure then. */
export const wantsCard = asked !== '';

if (asked === 'emulated') {
  const why = useEmulatedCard();
  if (why !== undefined) throw new Error(`TOKENFUSE_TEST_CUDA=emulated: ${why}`);
} else if (wantsCard && asked !== '1') {
  throw new Error(`TOKENFUSE_TEST_CUDA: expected 1 (a card) or emulated, got '${asked}'`);
}

/** Milliseconds for compiling the kernels; from the second time on they are in the cache. */
export const COMPILED_WITHIN = 600_000;

/** Selects the cuda engine and has its kernels compiled. */
export async function startCard(): Promise<void> {
  await selectEngine('cuda');
  tf.tidy(() => tf.neg(placed(tf.ones([1]))).dataSync());
}

/** Puts a tensor's numbers on the card, where operations on it then run. */
export function placed<T extends tf.Tensor>(tensor: T): T {
  (tf.backend() as unknown as CudaBackend).address(tensor);
  return tensor;
}

/** A suite on the cuda engine: a real card under TOKENFUSE_TEST_CUDA=1, the emulated one otherwise, skipped where there is none. */
export function describeCuda(name: string, suite: () => void): void {
  const absent = wantsCard ? undefined : useEmulatedCard();
  const hasCard = absent === undefined;
  describe.skipIf(!hasCard)(hasCard ? name : `${name} (skipped: ${absent})`, () => {
    beforeAll(startCard, COMPILED_WITHIN);
    afterAll(async () => {
      await selectEngine('cpu');
    });
    suite();
  });
}
