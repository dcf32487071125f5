import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type WasmMemory, webAssembly } from './webAssembly.js';

/** The functions of kernels.wasm, declared and described in assembly/. */
const FUNCTIONS = [
  'adamWStep',
  'copyRows',
  'erf',
  'exp',
  'gatherRows',
  'layerNormalize',
  'layerNormalizeGradient',
  'matMul',
  'matMulScratch',
  'pattention',
  'pattentionGradient',
  'pattentionGradientScratch',
  'pattentionScratch',
  'rotaryPositions',
  'segmentSum',
  'softmaxCrossEntropy',
  'softmaxCrossEntropyGradient',
  'sumRows',
  'swapAxes',
  'tanh',
  'tokenAttention',
  'tokenAttentionGradient',
  'tokenAttentionGradientScratch',
  'tokenAttentionScratch',
  'transposeMatrices',
] as const;

/** Every argument is a number: a byte address, a size, a setting, or 0 and 1 for false and true. */
export type KernelModule = Readonly<Record<(typeof FUNCTIONS)[number], (...args: number[]) => number>>;

const FILE = 'kernels.wasm';

/** Loads kernels.wasm into the memory of the wasm backend, or says why it cannot. */
export async function loadKernelModule(memory: WasmMemory): Promise<KernelModule | { reason: string }> {
  const here = dirname(fileURLToPath(import.meta.url));
  // In the engine's folder when built; a run from the sources uses what was built last.
  const path = [join(here, '..'), join(here, '../../../../dist/src/engine/wasm')]
    .map((folder) => join(folder, FILE))
    .find(existsSync);
  if (path === undefined) return { reason: `${FILE} is not built; run \`npm run build\`` };
  try {
    const result = await webAssembly.instantiate(readFileSync(path), { env: { memory } });
    const { exports } = 'instance' in result ? result.instance : result;
    const missing = FUNCTIONS.filter((name) => typeof exports[name] !== 'function');
    if (missing.length > 0) return { reason: `${FILE} lacks ${missing.join(', ')}; run \`npm run build\`` };
    return exports as KernelModule;
  } catch (error) {
    return { reason: `${FILE} does not load: ${(error as Error).message}` };
  }
}
