import { readdirSync } from 'node:fs';
import os from 'node:os';
import { delimiter, join } from 'node:path';
import type { LibraryPlaces } from './addon.js';

/** @file Where the driver, NVRTC and cuBLASLt are looked for. No Python is started and no file is opened: folders are listed. */

export type Library = keyof LibraryPlaces;

/** A file that could not be loaded, and why. */
export interface TriedFile {
  readonly library: Library;
  readonly file: string;
  readonly why: string;
}

/** The names of each library, the newest first. */
export const LIBRARY_FILES: Readonly<Record<Library, readonly string[]>> = {
  driver: ['libcuda.so.1'],
  nvrtc: ['libnvrtc.so.13', 'libnvrtc.so.12'],
  cublasLt: ['libcublasLt.so.13', 'libcublasLt.so.12'],
};

export interface PlaceOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
  /** The folder that stands for `/`. */
  readonly root?: string;
  /** As `process.arch` says it. */
  readonly arch?: string;
}

/**
 * Files to try for each library, in order: those in TOKENFUSE_CUDA (a folder, or several as in PATH) and nowhere else where it is
 * set; otherwise by name, which leaves it to the system's loader, then in the folders of toolkits and of Python's packages.
 */
export function libraryPlaces(options: PlaceOptions = {}): LibraryPlaces {
  const { env = process.env } = options;
  const own = split(env.TOKENFUSE_CUDA);
  const folders = own.length > 0 ? own : [...toolkitFolders(options), ...pythonFolders(options)];
  const contents = [...new Set(folders)].map((folder) => ({ folder, files: new Set(list(folder)) }));
  const places = (library: Library): string[] => {
    const names = LIBRARY_FILES[library];
    // Named by the user, a folder is tried whatever it has; the others only where the file is there.
    if (own.length > 0) return own.flatMap((folder) => names.map((name) => join(folder, name)));
    const found = contents.flatMap(({ folder, files }) =>
      names.filter((name) => files.has(name)).map((name) => join(folder, name)),
    );
    // A newer version in a later folder goes before an older one in an earlier folder.
    return [...names, ...names.flatMap((name) => found.filter((file) => file.endsWith(`/${name}`)))];
  };
  return { driver: places('driver'), nvrtc: places('nvrtc'), cublasLt: places('cublasLt') };
}

/** The folders that were looked into, of those that are there; for `doctor`. */
export function foldersLookedInto(options: PlaceOptions = {}): string[] {
  const own = split((options.env ?? process.env).TOKENFUSE_CUDA);
  if (own.length > 0) return own;
  return [...new Set([...toolkitFolders(options), ...pythonFolders(options)])].filter(
    (folder) => list(folder).length > 0,
  );
}

/** One line on how to get the libraries that are missing; where TOKENFUSE_CUDA hides all other places, that it does. */
export function libraryRemedy(
  missing: ReadonlySet<Library>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  if (split(env.TOKENFUSE_CUDA).length > 0) {
    return `TOKENFUSE_CUDA=${env.TOKENFUSE_CUDA} is the only place looked into: name the folder that has them, or unset it`;
  }
  const steps: string[] = [];
  if (missing.has('driver')) steps.push("install NVIDIA's driver (apt install nvidia-driver)");
  const packages = [
    ...(missing.has('cublasLt') ? ['nvidia-cublas'] : []),
    ...(missing.has('nvrtc') ? ['nvidia-cuda-nvrtc'] : []),
  ];
  if (packages.length > 0) {
    const apt = packages.map((name) => (name === 'nvidia-cublas' ? 'libcublas-13-0' : 'cuda-nvrtc-13-0'));
    steps.push(`pip install ${packages.join(' ')} (or apt install ${apt.join(' ')})`);
  }
  return `${steps.join('; ')}; or set TOKENFUSE_CUDA to the folder that has them`;
}

function toolkitFolders({ env = process.env, root = '/', arch = process.arch }: PlaceOptions): string[] {
  const machine = arch === 'arm64' ? ['sbsa-linux', 'aarch64-linux'] : ['x86_64-linux'];
  const inToolkit = (toolkit: string): string[] => [
    join(toolkit, 'lib64'),
    join(toolkit, 'lib'),
    ...machine.map((name) => join(toolkit, 'targets', name, 'lib')),
  ];
  const local = join(root, 'usr/local');
  const toolkits = list(local)
    .filter((name) => /^cuda(-[\d.]+)?$/.test(name))
    .sort(newestFirst);
  const conda = env.CONDA_PREFIX;
  return [
    ...split(env.LD_LIBRARY_PATH),
    ...[env.CUDA_HOME, env.CUDA_PATH].filter(isGiven).flatMap(inToolkit),
    ...toolkits.flatMap((name) => inToolkit(join(local, name))),
    join(root, 'usr/lib', arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'),
    join(root, 'usr/lib64'),
    join(root, 'usr/lib/wsl/lib'),
    join(root, 'opt/cuda/lib64'),
    ...(isGiven(conda) ? inToolkit(conda) : []),
  ];
}

function pythonFolders({ env = process.env, home = os.homedir(), root = '/' }: PlaceOptions): string[] {
  const versions = (folder: string): string[] =>
    list(folder)
      .filter((name) => /^python3[\d.]*$/.test(name))
      .sort(newestFirst)
      .map((name) => join(folder, name));
  const packages = (prefix: string): string[] =>
    ['lib', 'lib64'].flatMap((lib) =>
      versions(join(prefix, lib)).flatMap((python) => [join(python, 'site-packages'), join(python, 'dist-packages')]),
    );
  const environments = [env.VIRTUAL_ENV, env.CONDA_PREFIX].filter(isGiven);
  const opt = join(root, 'opt');
  const inOpt = list(opt).flatMap((name) => [join(opt, name, '.venv'), join(opt, name)]);
  const sites = [
    ...split(env.PYTHONPATH),
    ...environments.flatMap(packages),
    ...packages(join(home, '.local')),
    ...packages(join(root, 'usr/local')),
    ...packages(join(root, 'usr')),
    ...[join(home, '.venv'), ...inOpt].flatMap(packages),
  ];
  return sites.flatMap((site) => {
    const nvidia = join(site, 'nvidia');
    const parts = list(nvidia).filter((name) => /^cu\d+$|^cublas$|^cuda_nvrtc$/.test(name));
    return [...parts.sort(newestFirst).map((part) => join(nvidia, part, 'lib')), join(site, 'torch/lib')];
  });
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function split(paths: string | undefined): string[] {
  return (paths ?? '').split(delimiter).filter(Boolean);
}

/** `cuda-13.0` before `cuda-9.2`, and any of them before plain `cuda`. */
function newestFirst(a: string, b: string): number {
  return b.localeCompare(a, 'en', { numeric: true });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
