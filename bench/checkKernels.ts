/**
 * @file `npm run check:kernels`: compiles the CUDA engine's kernels for every architecture it is meant for, with the NVRTC that is
 * found; no card is needed. Prints the registers and the local memory (spills) of each kernel; any error is a failure.
 *
 *     npm run check:kernels -- sm_90           one architecture
 *     npm run check:kernels -- sm_90 --keep    also keeps the cubin in the cache (TOKENFUSE_CUDA_CACHE): a machine that has this
 *                                              folder, and the same sources, need not compile
 */
import { parseArgs } from 'node:util';
import { renderTable } from '#src/cli';
import type { CudaAddon } from '../src/engine/cuda/addon.js';
import { readCubin } from '../src/engine/cuda/cubin.js';
import { cacheFolder, createCubinCache } from '../src/engine/cuda/cubinCache.js';
import { libraryPlaces } from '../src/engine/cuda/libraries.js';
import { loadCudaAddon, preparedKey } from '../src/engine/cuda/runtime.js';
import { compileOptions, joinSources } from '../src/engine/cuda/source.js';

const ARCHITECTURES = ['sm_80', 'sm_90', 'sm_90a', 'sm_120'];

/** Loads NVRTC, whatever else is missing. */
function loadNvrtc(addon: CudaAddon): string | undefined {
  try {
    addon.open(libraryPlaces());
  } catch (error) {
    const { message, tried = [] } = error as Error & { tried?: readonly { library: string }[] };
    if (tried.length === 0 || message.split(';')[0].includes('libnvrtc')) return message;
  }
  return undefined;
}

function main(): number {
  const addon = loadCudaAddon();
  if ('reason' in addon) return fail(`${addon.reason}; ${addon.remedy}`);
  const missing = loadNvrtc(addon);
  if (missing !== undefined) return fail(missing);
  const { values, positionals: only } = parseArgs({ allowPositionals: true, options: { keep: { type: 'boolean' } } });
  const source = joinSources();
  let failures = 0;
  const rows = new Map<string, string[]>();
  const compiled: string[] = [];
  for (const arch of only.length > 0 ? only : ARCHITECTURES) {
    const start = performance.now();
    try {
      const cubin = addon.compile(source, 'kernels.cu', compileOptions(arch));
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      const kernels = readCubin(cubin);
      process.stdout.write(`${arch}: ${kernels.length} kernels, ${cubin.length} bytes, in ${seconds} s\n`);
      if (values.keep) createCubinCache(cacheFolder()).write(preparedKey(source, compileOptions(arch)), cubin);
      for (const { name, registers, localBytes, sharedBytes } of kernels) {
        const row = rows.get(name) ?? [...compiled.map(() => '-')];
        row.push(
          `${registers}${localBytes > 0 ? ` spills ${localBytes}` : ''}${sharedBytes > 0 ? ` +${sharedBytes}` : ''}`,
        );
        rows.set(name, row);
      }
      compiled.push(arch);
    } catch (error) {
      const { message } = error as Error;
      if (message.includes('invalid value for --gpu-architecture')) {
        process.stdout.write(`${arch}: not known to this NVRTC\n`);
        continue;
      }
      failures++;
      process.stdout.write(`${arch}: ${message}\n`);
    }
  }
  const table = [...rows].sort(([a], [b]) => a.localeCompare(b)).map(([name, cells]) => [name, ...cells]);
  if (table.length > 0) {
    process.stdout.write('\nregisters of a thread, spills in bytes of local memory, + bytes of static shared memory\n');
    process.stdout.write(`${renderTable(['kernel', ...compiled], table)}\n`);
  }
  return failures > 0 || compiled.length === 0 ? 1 : 0;
}

function fail(why: string): number {
  process.stdout.write(`check:kernels: ${why}\n`);
  return 1;
}

process.exitCode = main();
