/**
 * @file Errors of the GPU become exceptions. WebGPU only reports them: a call that fails gives an invalid object, what is
 * computed with it is skipped, and numbers that were never written read as zeros, so that training goes on at a loss of 0.
 */
import { RunError } from '#src/errors';
import type { GpuDevice, GpuError, WebgpuBackend } from './backend.js';

/** Remembers the first error of a device. */
export class DeviceErrors {
  #first: string | undefined;

  watch(device: GpuDevice): void {
    device.addEventListener('uncapturederror', (event) => {
      // Dawn would print every error, of which the first takes hundreds with it.
      event.preventDefault();
      this.#first ??= describe(event.error);
    });
    void device.lost.then(({ reason, message }) => {
      this.#first ??= `the GPU is gone (${reason}): ${firstLine(message)}`;
    });
  }

  /** @throws RunError when anything has failed since the device was opened: nothing on it can be trusted any more */
  raise(): void {
    if (this.#first !== undefined) throw new RunError(`engine webgpu: ${this.#first}`);
  }
}

/** Makes a backend raise a device's errors, before any that follow from them: when a program fails, and at reads. */
export function raiseErrors(backend: WebgpuBackend, errors: DeviceErrors): void {
  const { runWebGPUProgram, submitQueue, read, readSync } = backend;
  function checked<T>(run: () => T): T {
    errors.raise();
    try {
      return run();
    } finally {
      errors.raise();
    }
  }
  backend.runWebGPUProgram = (...args) => checked(() => runWebGPUProgram.apply(backend, args));
  backend.submitQueue = () => checked(() => submitQueue.call(backend));
  backend.readSync = (dataId) => checked(() => readSync.call(backend, dataId));
  backend.read = async (dataId) => {
    try {
      return await read.call(backend, dataId);
    } catch (error) {
      // A lost device fails pending requests before it reports the loss.
      await new Promise((resolve) => setTimeout(resolve));
      throw error;
    } finally {
      errors.raise();
    }
  };
}

function describe(error: GpuError): string {
  const outOfMemory = error.constructor.name === 'GPUOutOfMemoryError';
  const message = firstLine(error.message);
  return outOfMemory ? `the GPU is out of memory (${message}); try smaller batches` : message;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0];
}
