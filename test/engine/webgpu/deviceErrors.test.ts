/** @file An error of a device stays, so every test of a real one opens a process' only device last, in a file of its own. */
import { expect, it } from 'vitest';
import { tf } from '#src/engine';
import { RunError } from '#src/errors';
import type { GpuDevice, WebgpuBackend } from '../../../src/engine/webgpu/backend.js';
import { DeviceErrors, raiseErrors } from '../../../src/engine/webgpu/deviceErrors.js';
import { describeWebgpu, webgpuBackend } from './describeWebgpu.js';

class GPUValidationError extends Error {}
class GPUOutOfMemoryError extends Error {}

/** A device whose errors are made here, and a backend that would never notice. */
function fakeGpu(broken: Partial<WebgpuBackend> = {}) {
  const errors = new DeviceErrors();
  let report: ((event: { error: Error; preventDefault(): void }) => void) | undefined;
  let lose: (info: { reason: string; message: string }) => void = () => {};
  const device = {
    limits: {},
    lost: new Promise((resolve) => {
      lose = resolve;
    }),
    addEventListener: (_: string, listener: typeof report) => {
      report = listener;
    },
  };
  errors.watch(device as unknown as GpuDevice);
  const backend = {
    runWebGPUProgram: () => 'output',
    submitQueue: () => {},
    read: async () => new Float32Array(1),
    readSync: () => new Float32Array(1),
    ...broken,
  } as unknown as WebgpuBackend;
  raiseErrors(backend, errors);
  return { backend, lose, fail: (error: Error) => report?.({ error, preventDefault: () => {} }) };
}

it('a backend whose device reported no error goes on', async () => {
  const { backend } = fakeGpu();
  expect(await backend.read({})).toHaveLength(1);
});

it('no number leaves a device that reported an error', async () => {
  const { backend, fail } = fakeGpu();
  fail(new GPUValidationError('too many buffers\n - While validating this'));
  await expect(backend.read({})).rejects.toThrow(new RunError('engine webgpu: too many buffers'));
  expect(() => backend.readSync({})).toThrow('engine webgpu: too many buffers');
});

it('the program at fault raises the error', () => {
  const { backend, fail } = fakeGpu();
  const run = (): unknown => backend.runWebGPUProgram({} as never, [], 'float32');
  expect(run()).toBe('output');
  fail(new GPUValidationError('no such entry point'));
  expect(run).toThrow('engine webgpu: no such entry point');
});

it('the first error is the one that is told', () => {
  const { backend, fail } = fakeGpu();
  fail(new GPUValidationError('the cause'));
  fail(new GPUValidationError('an effect'));
  expect(() => backend.submitQueue()).toThrow('engine webgpu: the cause');
});

it('says what to do when the memory is full', () => {
  const { backend, fail } = fakeGpu();
  fail(new GPUOutOfMemoryError('vkAllocateMemory failed'));
  expect(() => backend.submitQueue()).toThrow(
    'engine webgpu: the GPU is out of memory (vkAllocateMemory failed); try smaller batches',
  );
});

it('tells that the device is gone, and not what became of the reading', async () => {
  const { backend, lose } = fakeGpu({ read: async () => Promise.reject(new Error('AbortError')) });
  setImmediate(() => lose({ reason: 'unknown', message: 'driver reset' }));
  await expect(backend.read({})).rejects.toThrow('engine webgpu: the GPU is gone (unknown): driver reset');
});

describeWebgpu('a shader that does not compile', () => {
  it('fails where it is run, and so does all that follows', async () => {
    const before = tf.tensor1d([1, 2]);
    const program = {
      variableNames: ['x'],
      outputShape: [2],
      workgroupSize: [64, 1, 1],
      dispatchLayout: { x: [0] },
      dispatch: [1, 1, 1],
      shaderKey: 'nonsense',
      getUserCode: () => 'nonsense',
    } as const;
    expect(() => webgpuBackend().runWebGPUProgram(program, [before], 'float32')).toThrow(/^engine webgpu: /);
    await expect(async () => tf.add(before, 1).data()).rejects.toThrow(RunError);
  });
});
