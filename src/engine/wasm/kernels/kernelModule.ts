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

/** Loads the bytes of kernels.wasm into the memory of the wasm backend, or says why it cannot. */
export async function loadKernelModule(
  memory: WasmMemory,
  bytes: Uint8Array,
): Promise<KernelModule | { readonly reason: string }> {
  try {
    const result = await webAssembly.instantiate(bytes, { env: { memory } });
    const { exports } = 'instance' in result ? result.instance : result;
    const missing = FUNCTIONS.filter((name) => typeof exports[name] !== 'function');
    if (missing.length > 0) return { reason: `${FILE} lacks ${missing.join(', ')}; run \`npm run build\`` };
    return exports as KernelModule;
  } catch (error) {
    return { reason: `${FILE} does not load: ${(error as Error).message}` };
  }
}
