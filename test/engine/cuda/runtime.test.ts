import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { ConfigError } from '#src/errors';
import { describeCuda } from '../../../src/engine/cuda/report.js';
import { architecture, loadCudaAddon } from '../../../src/engine/cuda/runtime.js';
import { compileOptions, joinSources } from '../../../src/engine/cuda/source.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

/** The module anew, since it opens the card once. */
async function openCuda() {
  return (await import('../../../src/engine/cuda/runtime.js')).openCuda();
}

it('joins device.cuh and the kernels by name, without includes, each line under its number', () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'tokenfuse-sources-'));
  writeFileSync(join(folder, 'b.cu'), '#include "device.cuh"\nKERNEL b() {}\n');
  writeFileSync(join(folder, 'a.cu'), 'KERNEL a() {}\n');
  writeFileSync(join(folder, 'device.cuh'), '#pragma once\n#define KERNEL\n#pragma unroll\n');
  writeFileSync(join(folder, 'notes.md'), 'no kernel');
  expect(joinSources(folder)).toBe(
    '#line 1 "device.cuh"\n\n#define KERNEL\n#pragma unroll\n\n' +
      '#line 1 "a.cu"\nKERNEL a() {}\n\n#line 1 "b.cu"\n\nKERNEL b() {}\n\n',
  );
  rmSync(folder, { recursive: true });
});

it('finds the sources of the package', () => {
  expect(joinSources()).toContain('#line 1 "device.cuh"');
  expect(compileOptions('sm_90')).toEqual(['--gpu-architecture=sm_90', '--std=c++17']);
});

it.skipIf('reason' in loadCudaAddon())('says which libraries are missing, and how to get them', async () => {
  vi.stubEnv('TOKENFUSE_CUDA', '/nowhere');
  const cuda = await openCuda();
  expect(cuda).toMatchObject({
    reason: 'no libcuda.so.1 and libnvrtc.so.13 or .12 and libcublasLt.so.13 or .12',
    remedy: 'TOKENFUSE_CUDA=/nowhere is the only place looked into: name the folder that has them, or unset it',
  });
  expect(describeCuda(cuda)).toEqual([
    'cuda: driver: not there: /nowhere/libcuda.so.1',
    'cuda: NVRTC: not there: /nowhere/libnvrtc.so.13, /nowhere/libnvrtc.so.12',
    'cuda: cuBLASLt: not there: /nowhere/libcublasLt.so.13, /nowhere/libcublasLt.so.12',
    'cuda: folders looked into: /nowhere',
  ]);
});

it('says where the addon is missing', async () => {
  vi.stubEnv('TOKENFUSE_NATIVE', '/nowhere');
  expect(await openCuda()).toMatchObject({ reason: expect.stringMatching(/no tokenfuse\.node in \/nowhere/) });
});

it('takes the card for the architecture unless a variable names another', () => {
  expect(architecture({ capability: 90 }, {})).toBe('sm_90');
  expect(architecture({ capability: 90 }, { TOKENFUSE_CUDA_ARCH: 'sm_90a' })).toBe('sm_90a');
  const refused =
    "TOKENFUSE_CUDA_ARCH: expected an architecture such as sm_90, got 'hopper'; unset it for the card's own";
  expect(() => architecture({ capability: 90 }, { TOKENFUSE_CUDA_ARCH: 'hopper' })).toThrow(new ConfigError(refused));
});
