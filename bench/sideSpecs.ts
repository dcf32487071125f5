import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '#src/errors';
import { benchPath } from './benchFolder.js';
import { type SideName, type SideSpec, startSide } from './side.js';
import type { Request } from './workload.js';

/** A side that can take part, with what it is made of, or the one line that says how to get it. */
export type FoundSide =
  | { readonly spec: SideSpec; readonly versions: Readonly<Record<string, string>> }
  | { readonly skipped: string };

const SETUP = 'run `bash bench/peers/setup.sh` (another folder: PEERS=…)';

const INSTALL: Readonly<Record<SideName, string>> = {
  native: 'install g++ and run `npm run build`',
  wasm: 'run `npm ci`',
  pytorch: 'apt-get install python3-torch libopenblas0-pthread (another interpreter: PYTHON=…)',
  onednn: 'apt-get install g++ libdnnl-dev',
  'new-pytorch': SETUP,
  'compiled-pytorch': SETUP,
  jax: SETUP,
  'new-onednn': SETUP,
};

/**
 * Starts each side once, to see whether it works and what it is made of.
 *
 * @param hasAvx512 the processor's; Debian's OpenBLAS takes its AVX-512 kernels there only when told to
 * @param buildFolder where the oneDNN peer is compiled
 */
export async function findSides(
  names: readonly SideName[],
  threads: number,
  hasAvx512: boolean,
  buildFolder: string,
): Promise<Map<SideName, FoundSide>> {
  const found = new Map<SideName, FoundSide>();
  for (const name of names) found.set(name, await findSide(name, threads, hasAvx512, buildFolder));
  return found;
}

async function findSide(name: SideName, threads: number, hasAvx512: boolean, buildFolder: string): Promise<FoundSide> {
  try {
    const spec = sideSpec(name, threads, hasAvx512, buildFolder);
    const side = await startSide(spec);
    await side.close();
    if ('versions' in side.hello) return { spec, versions: side.hello.versions };
    throw new UserError(side.hello.problem);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { skipped: `${name} is left out: ${error.message}; ${INSTALL[name]}` };
  }
}

/**
 * Freed memory is used again, not given back to the system and asked for anew, and lies in huge pages: it takes a fifth off a
 * training step of PyTorch. Of memory it takes more, so that figure 5 measures without.
 */
export const KEPT_MEMORY: Readonly<Record<string, string>> = {
  GLIBC_TUNABLES: ['hugetlb=1', `mmap_threshold=${2 ** 32}`, `trim_threshold=${2 ** 33}`]
    .map((setting) => `glibc.malloc.${setting}`)
    .join(':'),
};

function sideSpec(name: SideName, threads: number, hasAvx512: boolean, buildFolder: string): SideSpec {
  const openMp = { OMP_NUM_THREADS: String(threads) };
  // OpenMP's threads and OpenBLAS's would spin against each other, or against other processes: with the default PyTorch is ten times slower.
  const passive = { OMP_WAIT_POLICY: process.env.OMP_WAIT_POLICY ?? 'passive' };
  switch (name) {
    case 'native':
    case 'wasm': {
      const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
      const program = fileURLToPath(new URL(`ours/main.${extension}`, import.meta.url));
      const env = { TOKENFUSE_THREADS: String(threads) };
      return { name, command: process.execPath, args: [...process.execArgv, program, name], env };
    }
    case 'pytorch': {
      const core: Record<string, string> = hasAvx512 ? { OPENBLAS_CORETYPE: 'SKYLAKEX' } : {};
      const env = { ...openMp, ...passive, OPENBLAS_NUM_THREADS: String(threads), ...core };
      return { name, command: findPython(), args: [benchPath('peers/tokenformer.py'), 'eager'], env };
    }
    case 'new-pytorch':
    case 'compiled-pytorch': {
      const mode = name === 'new-pytorch' ? 'eager' : 'compiled';
      return {
        name,
        command: inNewPeers('bin/python'),
        args: [benchPath('peers/tokenformer.py'), mode],
        env: { ...openMp, ...passive, ...KEPT_MEMORY },
      };
    }
    case 'jax':
      return {
        name,
        command: inNewPeers('bin/python'),
        args: [benchPath('peers/tokenformer_jax.py')],
        env: { ...openMp, ...passive, ...KEPT_MEMORY },
      };
    case 'onednn':
      return { name, command: compileOneDnn(join(buildFolder, name)), args: [], env: openMp, encode: productLine };
    case 'new-onednn': {
      const [include, lib] = [inNewPeers('include/dnnl.hpp'), inNewPeers('lib/libdnnl.so')].map((path) =>
        dirname(path),
      );
      const flags = [
        `-I${include}`,
        `-L${lib}`,
        `-Wl,-rpath,${lib}`,
        '-Wl,--disable-new-dtags',
        '-Wl,--allow-shlib-undefined',
      ];
      const env = { ...openMp, OCL_ICD_FILENAMES: join(lib, 'libintelocl.so') };
      return { name, command: compileOneDnn(join(buildFolder, name), flags), args: [], env, encode: productLine };
    }
  }
}

/** A file of the environment that bench/peers/setup.sh made. */
function inNewPeers(path: string): string {
  const folder = process.env.PEERS ?? benchPath('peers/.venv');
  const file = join(folder, path);
  if (!existsSync(file)) throw new UserError(`${file}: no such file`);
  return file;
}

/** Debian's own interpreter first: it is the one that Debian's PyTorch belongs to. */
function findPython(): string {
  const candidates = process.env.PYTHON ? [process.env.PYTHON] : ['/usr/bin/python3', 'python3'];
  for (const command of candidates) {
    try {
      execFileSync(command, ['-c', 'import torch'], { stdio: 'ignore' });
      return command;
    } catch {
      // Not there, or without PyTorch: the next one may have it.
    }
  }
  throw new UserError(`${candidates.join(', ')}: no PyTorch`);
}

function compileOneDnn(program: string, flags: readonly string[] = []): string {
  const compiler = process.env.CXX ?? 'c++';
  const args = ['-std=c++17', '-O2', ...flags, benchPath('peers/onednn.cc'), '-o', program, '-ldnnl'];
  try {
    execFileSync(compiler, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const lines = (stderr || message).split('\n');
    throw new UserError(lines.find((line) => /error/i.test(line)) ?? lines[0]);
  }
  return program;
}

/** A request as bench/peers/onednn.cc reads it. */
function productLine({ workload, minSeconds }: Request): string {
  if (workload.kind !== 'product') throw new Error(`oneDNN: expected a product, got a ${workload.kind}`);
  const { batch, m, n, depth, transposeA, transposeB } = workload;
  return [batch, m, n, depth, Number(transposeA), Number(transposeB), minSeconds].join(' ');
}
