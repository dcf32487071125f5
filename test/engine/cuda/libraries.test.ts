import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { foldersLookedInto, libraryPlaces, libraryRemedy } from '../../../src/engine/cuda/libraries.js';
import { describeCuda } from '../../../src/engine/cuda/report.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(os.tmpdir(), 'tokenfuse-cuda-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(...files: string[]): void {
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
}

function places(env: Record<string, string> = {}, arch = 'x64') {
  return libraryPlaces({ env, home: join(root, 'home/me'), root, arch });
}

it('asks the loader first, which alone is left where no folder has anything', () => {
  expect(places()).toEqual({
    driver: ['libcuda.so.1'],
    nvrtc: ['libnvrtc.so.13', 'libnvrtc.so.12'],
    cublasLt: ['libcublasLt.so.13', 'libcublasLt.so.12'],
  });
});

it('then takes toolkits, the newest first, and a newer library before an older one wherever they are', () => {
  put('usr/local/cuda-9.2/lib64/libnvrtc.so.12', 'usr/local/cuda-12.8/lib64/libnvrtc.so.12');
  put('usr/lib/x86_64-linux-gnu/libnvrtc.so.13', 'usr/lib/wsl/lib/libcuda.so.1');
  const { driver, nvrtc } = places();
  expect(nvrtc.slice(2)).toEqual([
    join(root, 'usr/lib/x86_64-linux-gnu/libnvrtc.so.13'),
    join(root, 'usr/local/cuda-12.8/lib64/libnvrtc.so.12'),
    join(root, 'usr/local/cuda-9.2/lib64/libnvrtc.so.12'),
  ]);
  expect(driver).toEqual(['libcuda.so.1', join(root, 'usr/lib/wsl/lib/libcuda.so.1')]);
});

it.each([
  ['a virtual environment', 'venv/lib/python3.11/site-packages/nvidia/cublas/lib', { VIRTUAL_ENV: 'venv' }],
  ['packages of CUDA 13', 'venv/lib/python3.14/site-packages/nvidia/cu13/lib', { VIRTUAL_ENV: 'venv' }],
  ['a virtual environment in /opt', 'opt/torch/.venv/lib/python3.12/site-packages/nvidia/cu13/lib', {}],
  ["the user's packages", 'home/me/.local/lib/python3.12/site-packages/nvidia/cublas/lib', {}],
  ["the system's packages", 'usr/lib/python3/dist-packages/nvidia/cublas/lib', {}],
  ['local packages', 'usr/local/lib/python3.10/dist-packages/torch/lib', {}],
  ['a place of modules', 'elsewhere/torch/lib', { PYTHONPATH: 'elsewhere' }],
  ['a place of libraries', 'elsewhere/lib', { LD_LIBRARY_PATH: 'elsewhere/lib' }],
  ['conda', 'conda/lib', { CONDA_PREFIX: 'conda' }],
  ['a toolkit', 'cuda/targets/x86_64-linux/lib', { CUDA_HOME: 'cuda' }],
  ['a toolkit by its other name', 'cuda/lib64', { CUDA_PATH: 'cuda' }],
])('finds libraries in %s', (_, folder, variables) => {
  put(`${folder}/libcublasLt.so.12`);
  const env = Object.fromEntries(Object.entries(variables).map(([name, path]) => [name, join(root, path)]));
  expect(places(env).cublasLt).toContain(join(root, folder, 'libcublasLt.so.12'));
  expect(foldersLookedInto({ env, home: join(root, 'home/me'), root, arch: 'x64' })).toContain(join(root, folder));
});

it('looks for the other names of folders on arm64', () => {
  put('usr/local/cuda/targets/sbsa-linux/lib/libnvrtc.so.13', 'usr/lib/aarch64-linux-gnu/libcuda.so.1');
  expect(places({}, 'arm64').nvrtc).toContain(join(root, 'usr/local/cuda/targets/sbsa-linux/lib/libnvrtc.so.13'));
  expect(places({}, 'arm64').driver).toContain(join(root, 'usr/lib/aarch64-linux-gnu/libcuda.so.1'));
});

it('looks nowhere but in TOKENFUSE_CUDA where it is set', () => {
  put('usr/local/cuda/lib64/libnvrtc.so.13');
  expect(places({ TOKENFUSE_CUDA: '/own' })).toEqual({
    driver: ['/own/libcuda.so.1'],
    nvrtc: ['/own/libnvrtc.so.13', '/own/libnvrtc.so.12'],
    cublasLt: ['/own/libcublasLt.so.13', '/own/libcublasLt.so.12'],
  });
  expect(places({ TOKENFUSE_CUDA: '/a:/b' }).driver).toEqual(['/a/libcuda.so.1', '/b/libcuda.so.1']);
});

it('says what to install', () => {
  expect(libraryRemedy(new Set(['driver']), {})).toMatch(/^install NVIDIA's driver .*; or set TOKENFUSE_CUDA/);
  expect(libraryRemedy(new Set(['nvrtc', 'cublasLt']), {})).toMatch(
    /^pip install nvidia-cublas nvidia-cuda-nvrtc \(or apt/,
  );
});

it('tells each place that was tried: those without the file together, the others with the reason', () => {
  const tried = [
    { library: 'driver', file: 'libcuda.so.1', why: 'cannot open shared object file: No such file or directory' },
    { library: 'nvrtc', file: '/a/libnvrtc.so.13', why: 'is for CUDA 13, the driver for 12.4' },
    { library: 'driver', file: '/a/libcuda.so.1', why: 'cannot open shared object file: No such file or directory' },
  ] as const;
  const lines = describeCuda({ reason: 'no libcuda.so.1', remedy: 'install', tried });
  expect(lines.slice(0, 2)).toEqual([
    'cuda: driver: not there: libcuda.so.1, /a/libcuda.so.1',
    'cuda: NVRTC: /a/libnvrtc.so.13: is for CUDA 13, the driver for 12.4',
  ]);
  expect(lines[2]).toMatch(/^cuda: folders looked into: /);
});
