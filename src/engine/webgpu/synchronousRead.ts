/**
 * @file `dataSync()` in Node. As shipped, the backend reads synchronously through a canvas, which Node lacks. This
 * project reads with `await tensor.data()`; tests and a few kernels of TensorFlow.js need the synchronous form.
 */
import { tf } from '../shared/index.js';
import type { GpuBuffer, WebgpuBackend } from './backend.js';

// WebGPU's GPUBufferUsage and GPUMapMode.
const MAP_READ_AND_COPY_DST = 0x1 | 0x8;
const FOR_READING = 0x1;

/** Polls in a row before yielding the processor, on which a software adapter computes. */
const EAGER_LOOKS = 1000;

/** Dawn's next poll for finished work. */
let nextLook: (() => void) | undefined;
/** Whether the event loop is to run it. */
let turnIsDue = false;
let looksSinceAsked = 0;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Keeps the callback that Dawn's Node binding hands to `setImmediate` in one of its methods, to poll for finished work.
 * It schedules one at a time, so every method that may do so must be wrapped, for `allowSynchronousReads` to find it.
 */
export function catchTicksOf<Key extends string, Target extends Record<Key, (...args: never[]) => unknown>>(
  target: Target,
  key: Key,
): void {
  const method = target[key];
  target[key] = function (this: unknown, ...args: never[]) {
    looksSinceAsked = 0;
    return catchingTicks(() => method.apply(this, args));
  } as Target[Key];
}

/** Gives the backend a synchronous read: runs what Dawn has scheduled until the numbers arrive. */
export function allowSynchronousReads(backend: WebgpuBackend): void {
  const { readSync } = backend;
  backend.readSync = (dataId) => {
    const data = backend.tensorMap.get(dataId);
    const buffer = data.resource;
    if (data.values != null || buffer == null || data.dtype === 'complex64') return readSync.call(backend, dataId);
    const values = tf.util.convertBackendValuesAndArrayBuffer(copyOf(buffer, backend), data.dtype);
    data.values = values;
    return values;
  };
}

function copyOf(buffer: GpuBuffer, backend: WebgpuBackend): ArrayBuffer {
  const staging = backend.bufferManager.acquireBuffer(buffer.size, MAP_READ_AND_COPY_DST);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  backend.submitQueue();
  let failure: unknown;
  staging.mapAsync(FOR_READING).catch((error: unknown) => {
    failure = error;
  });
  while (staging.mapState === 'pending' && nextLook !== undefined) {
    look();
    if (looksSinceAsked > EAGER_LOOKS) Atomics.wait(sleeper, 0, 0, 0.2);
  }
  if (staging.mapState !== 'mapped') {
    throw new Error(`webgpu: a tensor cannot be read synchronously here: use await tensor.data()`, { cause: failure });
  }
  const copy = staging.getMappedRange().slice(0);
  staging.unmap();
  backend.bufferManager.releaseBuffer(staging);
  return copy;
}

/** Calls a function of Dawn's and keeps the poll that it schedules, which the event loop runs unless `look` does so first. */
function catchingTicks<T>(run: () => T): T {
  const scope = globalThis as { setImmediate: (callback: () => void) => unknown };
  const schedule = scope.setImmediate;
  scope.setImmediate = (callback) => {
    nextLook = callback;
    if (turnIsDue) return;
    turnIsDue = true;
    if (looksSinceAsked > EAGER_LOOKS) setTimeout(takeTurn, 1);
    else schedule(takeTurn);
  };
  try {
    return run();
  } finally {
    scope.setImmediate = schedule;
  }
}

function takeTurn(): void {
  turnIsDue = false;
  look();
}

function look(): void {
  const callback = nextLook;
  if (callback === undefined) return;
  nextLook = undefined;
  looksSinceAsked++;
  catchingTicks(callback);
}
