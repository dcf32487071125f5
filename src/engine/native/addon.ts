import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type NumberArray = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/**
 * Arguments of a compiled kernel: numbers first, then lists of arrays, then typed arrays; `undefined` for an array that is
 * absent.
 */
export type KernelArgument =
  | number
  | boolean
  | Float32Array
  | Int32Array
  | Uint8Array
  | readonly NumberArray[]
  | undefined;

/** Names of the compiled kernels. */
export const KERNELS = [
  'adamW',
  'argMax',
  'attention',
  'attentionGradient',
  'binary',
  'copyRows',
  'crossEntropy',
  'crossEntropyGradient',
  'decodeBlocks',
  'gatherRows',
  'layerNormalize',
  'layerNormalizeGradient',
  'linearCrossEntropy',
  'matMul',
  'packRows',
  'pattention',
  'pattentionGradient',
  'rotary',
  'routedPattention',
  'segmentSum',
  'softmax',
  'sparsePattention',
  'squaredNorm',
  'sumColumns',
  'sumRows',
  'swapAxes',
  'unary',
  'unpackRows',
] as const;

/** What multiplies bf16: matrix registers, a vector instruction, or float32 instructions in its place (slow, for tests). */
export type Bf16By = 'AMX' | 'AVX512-BF16' | 'emulation';

/** The functions of tokenfuse.node, described in cpp/; they throw when an argument is not what they expect. */
export type Addon = Readonly<Record<(typeof KERNELS)[number], (...args: KernelArgument[]) => void>> & {
  setThreads(threads: number): number;
  threads(): number;
  physicalCores(): number;
  scratchBytes(): number;
  /** Chooses the fastest kernels for this processor, or slower ones by name ('avx2', 'sse2'); returns what was chosen. */
  choose(limit?: string): string;
  /** From the next kernel on, computes products in the highest precision or in bf16 by one of these; `choose` resets to 'highest'. */
  setMatmulPrecision(precision: 'highest' | Bf16By): string;
  /** What this processor lacks for that way of computing bf16 products; '' if nothing. */
  whyNoBf16(by: Bf16By): string;
  /** Bytes from the start of a buffer to the next multiple of 64 in memory. */
  alignment(buffer: ArrayBuffer, bytes: number): number;
};

const FILE = 'tokenfuse.node';

const here = dirname(fileURLToPath(import.meta.url));
/** Next to this file when built; a run from the sources uses the last build. The variable names another build. */
const FOLDERS = process.env.TOKENFUSE_NATIVE
  ? [process.env.TOKENFUSE_NATIVE]
  : [here, join(here, '../../../dist/src/engine/native')];

/** The path of tokenfuse.node in the first folder that has it. */
export function findAddon(folders: readonly string[] = FOLDERS): string | undefined {
  return folders.map((folder) => join(folder, FILE)).find(existsSync);
}

/** Why the kernels cannot be loaded, and what to do about it. */
export interface AddonFailure {
  readonly reason: string;
  readonly remedy: string;
}

const build = import.meta.url.includes('/node_modules/') ? 'npm rebuild tokenfuse' : 'npm run build';

/** Loads tokenfuse.node from the first folder that has it, or says why it cannot. */
export function loadAddon(folders: readonly string[] = FOLDERS): Addon | AddonFailure {
  const path = findAddon(folders);
  if (path === undefined) return buildFailure(folders);
  try {
    const addon: Addon = createRequire(import.meta.url)(path);
    const missing = KERNELS.filter((name) => typeof addon[name] !== 'function');
    if (missing.length === 0) return addon;
    return { reason: `out of date: ${FILE} lacks ${missing.join(', ')}`, remedy: `run \`${build}\`` };
  } catch (error) {
    const reason = `does not load: ${(error as Error).message.split('\n')[0]}`;
    return { reason, remedy: `run \`${build}\` on this machine` };
  }
}

/** What the build has left in place of the module. */
function buildFailure(folders: readonly string[]): AddonFailure {
  const log = folders.map((folder) => join(folder, `${FILE}.log`)).find(existsSync);
  if (log === undefined && process.env.TOKENFUSE_NATIVE) {
    return { reason: `TOKENFUSE_NATIVE: no ${FILE} in ${folders.join()}`, remedy: 'name another folder or none' };
  }
  if (log === undefined) return { reason: `not built: ${FILE} is missing`, remedy: `run \`${build}\`` };
  const [why, remedy] = readFileSync(log, 'utf8').split('\n');
  return { reason: `not built: ${why}`, remedy };
}
