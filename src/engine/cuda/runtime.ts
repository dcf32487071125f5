import { statSync } from 'node:fs';
import { ConfigError, RunError } from '#src/errors';
import { loadAddon } from '../native/index.js';
import type { CudaAddon, CudaFacts, LibraryPlaces } from './addon.js';
import { cacheFolder, createCubinCache } from './cubinCache.js';
import { type Library, libraryPlaces, libraryRemedy, type TriedFile } from './libraries.js';
import { compileOptions, joinSources } from './source.js';

/** The card, opened, with its kernels compiled. */
export interface Cuda {
  readonly addon: CudaAddon;
  readonly facts: CudaFacts;
  /** The id of a kernel; throws for a name that there is none of. */
  kernel(name: string): number;
}

/** Why the engine cannot work here, and what to do about it. */
export interface CudaFailure {
  readonly reason: string;
  readonly remedy: string;
  /** Files that could not be loaded. */
  readonly tried?: readonly TriedFile[];
}

/** Of the card; lower ones have no bf16 in their tensor cores. */
const LEAST_CAPABILITY = 80;

let opened: Cuda | CudaFailure | undefined;

/** Opens the card, once; kernels are compiled, or taken from the cache, when the first of them is asked for. */
export function openCuda(): Cuda | CudaFailure {
  opened ??= open();
  return opened;
}

/** The addon's functions for CUDA; where it is not built for it, why not. */
export function loadCudaAddon(): CudaAddon | CudaFailure {
  if (process.platform !== 'linux') {
    return { reason: `it is not written for ${process.platform}`, remedy: 'use webgpu' };
  }
  const addon: ReturnType<typeof loadAddon> & { readonly cuda?: CudaAddon } = loadAddon();
  if ('reason' in addon) return addon;
  return addon.cuda ?? { reason: 'out of date: tokenfuse.node has no part for CUDA', remedy: 'run `npm run build`' };
}

function open(): Cuda | CudaFailure {
  const addon = loadCudaAddon();
  if ('reason' in addon) return addon;
  const result = openCard(addon, libraryPlaces());
  if ('reason' in result) return result;
  const own = withRunErrors(addon);
  return { addon: own, facts: result, kernel: kernelLoader(own, result) };
}

/** The addon's functions, whose errors of a lost or full card are no bugs of the program. */
function withRunErrors(addon: CudaAddon): CudaAddon {
  const translated = (error: unknown): unknown => {
    const { code, message } = error as Error & { code?: string };
    if (code !== 'CUDA_LOST' && code !== 'CUDA_OUT_OF_MEMORY') return error;
    return Object.assign(new RunError(message), { code });
  };
  const rethrow = (error: unknown): never => {
    throw translated(error);
  };
  const wrapped = Object.entries(addon).map(([name, call]: [string, (...words: unknown[]) => unknown]) => [
    name,
    (...words: unknown[]): unknown => {
      try {
        const result = call(...words);
        return result instanceof Promise ? result.catch(rethrow) : result;
      } catch (error) {
        return rethrow(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as CudaAddon;
}

function openCard(addon: CudaAddon, places: LibraryPlaces): CudaFacts | CudaFailure {
  let facts: CudaFacts;
  try {
    facts = addon.open(places);
  } catch (error) {
    const { code, message, tried = [] } = error as Error & { code?: string; tried?: readonly TriedFile[] };
    if (code !== 'CUDA_LIBRARY') {
      return { reason: message.replace(/^CUDA: /, ''), remedy: 'see what nvidia-smi says of the card and its driver' };
    }
    // The message goes on with each file; the names come first.
    const [reason] = message.replace(/^CUDA: /, '').split(';');
    return { reason, remedy: libraryRemedy(missingLibraries(reason)), tried };
  }
  if (facts.capability >= LEAST_CAPABILITY) return facts;
  return {
    reason: `expected a card of compute capability 8.0 or later, got ${facts.card} with ${dotted(facts.capability)}`,
    remedy: 'use webgpu',
  };
}

/** Out of the beginning of the addon's message. */
function missingLibraries(names: string): Set<Library> {
  const marks: Record<Library, string> = { driver: 'libcuda.', nvrtc: 'libnvrtc.', cublasLt: 'libcublasLt.' };
  return new Set((Object.keys(marks) as Library[]).filter((library) => names.includes(marks[library])));
}

function dotted(capability: number): string {
  return `${Math.floor(capability / 10)}.${capability % 10}`;
}

function kernelLoader(addon: CudaAddon, facts: CudaFacts): (name: string) => number {
  let cubin: Uint8Array<ArrayBuffer> | undefined;
  const ids = new Map<string, number>();
  return (name) => {
    const known = ids.get(name);
    if (known !== undefined) return known;
    cubin ??= compileKernels(addon, facts, name);
    const [id] = addon.loadKernels(cubin, [name]);
    ids.set(name, id);
    return id;
  };
}

/**
 * The kernels as a cubin, from the cache where it is there; a cubin that does not load with `probe`, one of its kernels, is
 * compiled anew. TOKENFUSE_CUDA_ARCH names another architecture than the card's, as 'sm_90a'.
 */
function compileKernels(addon: CudaAddon, facts: CudaFacts, probe: string): Uint8Array<ArrayBuffer> {
  const source = joinSources();
  const options = compileOptions(architecture(facts));
  const cache = createCubinCache(cacheFolder());
  const key = [source, ...options, facts.nvrtcVersion, String(facts.driverVersion), fingerprint(facts.libraries.nvrtc)];
  for (const each of [key, preparedKey(source, options)]) {
    const kept = cache.read(each);
    if (kept === undefined) continue;
    try {
      addon.loadKernels(kept, [probe]);
      return kept;
    } catch (error) {
      if ((error as { code?: string }).code === 'CUDA_LOST') throw error;
    }
  }
  const cubin = addon.compile(source, 'kernels.cu', options);
  cache.write(key, cubin);
  return cubin;
}

/**
 * What kernels are compiled for.
 *
 * @throws ConfigError for a TOKENFUSE_CUDA_ARCH that is no architecture
 */
export function architecture(
  { capability }: Pick<CudaFacts, 'capability'>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const own = env.TOKENFUSE_CUDA_ARCH;
  if (!own) return `sm_${capability}`;
  if (/^sm_\d{2,3}[af]?$/.test(own)) return own;
  throw new ConfigError(
    `TOKENFUSE_CUDA_ARCH: expected an architecture such as sm_${capability}, got '${own}'; unset it for the card's own`,
  );
}

/** When commands that come again become CUDA graphs: where that pays, never, or wherever it is possible. */
export type GraphUse = 'on' | 'off' | 'always';

/**
 * TOKENFUSE_CUDA_GRAPHS, or 'on'.
 *
 * @throws ConfigError for another word
 */
export function graphUse(env: Readonly<Record<string, string | undefined>> = process.env): GraphUse {
  const word = env.TOKENFUSE_CUDA_GRAPHS || 'on';
  if (word === 'on' || word === 'off' || word === 'always') return word;
  throw new ConfigError(`TOKENFUSE_CUDA_GRAPHS: expected on, off or always, got '${word}'; unset it for on`);
}

/** Of a cubin that was compiled on another machine, by whatever NVRTC it had (`npm run check:kernels -- --keep`). */
export function preparedKey(source: string, options: readonly string[]): string[] {
  return [source, ...options, 'prepared'];
}

/** Tells one build of a library from another. */
function fingerprint(file: string): string {
  try {
    const { size, mtimeMs } = statSync(file);
    return `${file} ${size} ${mtimeMs}`;
  } catch {
    return file;
  }
}
