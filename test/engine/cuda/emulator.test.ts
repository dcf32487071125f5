import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What every CUDA kernel's test on the CPU stands on: check/check.cc calls the emulated libraries as the addon does. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const emulator = join(root, 'test/engine/cuda/emulator');
const compiler = process.env.CXX ?? 'c++';

function canCompile(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    execFileSync(compiler, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const runs = describe.skipIf(!canCompile());

runs('emulated card (Linux with a C++ compiler)', () => {
  let folder: string;
  let libraries: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'emulator-'));
    libraries = join(folder, 'libraries');
    execFileSync('node', [join(emulator, 'build.mjs'), '--out', libraries]);
    const source = ['src/engine/cuda/source/device.cuh', 'test/engine/cuda/emulator/check/kernels.cu']
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n')
      .replaceAll('#pragma once', '');
    writeFileSync(join(folder, 'check.cu'), source);
    const check = join(emulator, 'check/check.cc');
    execFileSync(compiler, ['-std=c++17', '-O1', check, '-o', join(folder, 'check'), '-ldl']);
    run('indices');
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(name: string, environment: Record<string, string> = {}): string {
    const args = [libraries, join(folder, 'check.cu'), name];
    return execFileSync(join(folder, 'check'), args, {
      encoding: 'utf8',
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  }
  const numbers = (name: string, environment?: Record<string, string>): number[] =>
    run(name, environment).split(/\s+/).map(Number);

  it('gives each thread its indices, and kernels their arguments', () => {
    const expected = Array.from({ length: 8 }, (_, y) => Array.from({ length: 6 }, (_, x) => 2 * (100 * y + x) + 5));
    expect(numbers('indices')).toEqual(expected.flat());
    expect(numbers('structs')).toEqual([0.5, 1, 1.5, 0.5, 7, 7, 7, 7, 24, 16, 1]);
  });

  it.each(['mmaBf16', 'mmaTf32', 'loadMatrices'])('%s: the register layout gives the plain product', (name) => {
    expect(numbers(name)).toEqual([0]);
    expect(numbers(name, { TOKENFUSE_EMULATED_ORDER: '7' })).toEqual([0]);
  });

  it('rounds to bf16 as a card does', () => {
    expect(numbers('round')).toEqual([0x3f80, 0x3f80, 0x3f82, 0xc049, 0x7f80, 0x7fff, 0x7f80, 1]);
  });

  it('shuffles and votes', () => {
    const found = numbers('shuffles');
    const lanes = Array.from({ length: 32 }, (_, lane) => lane);
    const expected = [
      lanes.map(() => 50),
      lanes.map((lane) => (lane < 3 ? lane : lane - 3)),
      lanes.map((lane) => (lane > 28 ? lane : lane + 3)),
      lanes.map((lane) => lane ^ 9),
      lanes.map(() => 0x49249249),
      lanes.map(() => 3),
      lanes.map((lane) => (lane % 8 < 4 ? lane + 4 : lane)),
      lanes.map(() => 111),
    ];
    expect(found).toEqual(expected.flat());
  });

  it('sums over blocks in any order of the threads', () => {
    for (const order of ['', 'reverse', '3']) {
      const found = numbers('sum', { TOKENFUSE_EMULATED_ORDER: order });
      expect(found.slice(0, 6)).toEqual(found.slice(6));
    }
  });

  it('lets a barrier pass when the other threads have ended', () => {
    expect(numbers('earlyEnd')).toEqual(Array.from({ length: 40 }, () => 1));
  });

  it('reports a barrier that not all threads reach', () => {
    expect(run('deadlock')).toMatch(/^error 719 .*check_deadlock.*22 wait at a shuffle, 10 wait at __syncthreads/);
  });

  it('shows a missing barrier, and a missing wait for copies', () => {
    expect(numbers('race')[0]).toBeGreaterThan(0);
    expect(numbers('noRace')).toEqual([0]);
    expect(numbers('missingWait')).toEqual([0, 1]);
  });

  it('starts memory as NaN', () => {
    expect(numbers('readUnwritten')).toEqual([1]);
    expect(numbers('unwrittenShared')).toEqual([1, 1]);
  });

  it.each([
    ['writeBeyond', 'byte 40 of an allocation of 40 bytes was written'],
    ['writeFarBeyond', 'thread (0, 0, 0): address'],
    ['writeBefore', 'bytes before an allocation of 40 bytes'],
    ['readBeyond', 'byte 256 of an allocation of 256 bytes'],
    ['readFreed', 'that was freed'],
    ['sharedBeyond', 'byte 400 of shared memory was written, the launch asked for 400'],
    ['sharedFarBeyond', 'byte 200000 of shared memory, the launch asked for 400'],
    ['staticBeyond', 'index beyond an array: 8, line'],
  ])('%s is an illegal address of the kernel', (name, message) => {
    const found = run(name);
    expect(found).toMatch(/^error 700 .*check_/);
    expect(found).toContain(message);
  });

  it('reports misaligned vectors and too many threads', () => {
    expect(run('misaligned')).toMatch(/^error 716 .*line \d+ of check.cu/);
    expect(run('tooManyThreads')).toMatch(/^error 701 /);
  });

  it('adds by atomics, and replays graphs', () => {
    expect(numbers('atomics')).toEqual([384, 95, 768]);
    expect(numbers('graph')).toEqual([0, 30]);
    expect(numbers('graph', { TOKENFUSE_EMULATED_LATE: '1' })).toEqual([0, 30]);
  });

  it('multiplies matrices in each type, transposed and not, in batches', () => {
    // Exact but for the rounding of bf16 results, here divided by 256: 2^-8 / 256 at most.
    expect(numbers('products')[0]).toBeLessThanOrEqual(2 ** -16);
  });

  it('runs out of memory, and loses the card, when it is asked to', () => {
    expect(run('memory', { TOKENFUSE_EMULATED_MEMORY: '1500000' })).toMatch(/error 2 /);
    expect(run('loss', { TOKENFUSE_EMULATED_LOSS: '3' })).toMatch(/^0 1 2 error 700 /);
  });

  it('writes a line for each command', () => {
    const log = join(folder, 'log');
    run('graph', { TOKENFUSE_EMULATED_LOG: log });
    const launches = readFileSync(log, 'utf8').match(/^launch check_atomics grid 1 1 1 block 10 1 1 shared 0$/gm);
    expect(launches).toHaveLength(3);
  });
});
