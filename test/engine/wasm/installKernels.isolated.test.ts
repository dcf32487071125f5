import { describe, expect, it } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { rotaryPositions } from '#src/kernels';
import { installWasmKernels } from '../../../src/engine/wasm/kernels/index.js';
import { readKernels } from '../../../src/engine/wasm/readKernels.js';
import { prepareWasmMemory } from '../../../src/engine/wasm/wasmMemory.js';

describe('installWasmKernels', () => {
  it('installs nothing and says why when the backend is not running', async () => {
    expect(await installWasmKernels(undefined, readKernels())).toEqual({
      installed: [],
      reason: 'the wasm backend is not running',
    });
  });

  it('installs nothing and says why without the memory of the backend, or with that of another', async () => {
    await selectEngine('wasm');
    const before = tf.getKernel('BatchMatMul', 'wasm').kernelFunc;
    const reason = 'the memory of the wasm backend was not seen when it was created';
    expect(await installWasmKernels(undefined, readKernels())).toEqual({ installed: [], reason });
    const other = { buffer: new ArrayBuffer(16) };
    expect(await installWasmKernels(other, readKernels())).toEqual({ installed: [], reason });
    expect(tf.getKernel('BatchMatMul', 'wasm').kernelFunc).toBe(before);
  });
});

describe('the kernels', () => {
  it('go on after the memory has grown', async () => {
    await selectEngine('wasm');
    expect(tf.getKernel('RotaryPositions', 'wasm')).toBeDefined();
    const turned = (): Float32Array =>
      tf.tidy(() => {
        const settings = { numHeads: 2, rotaryDims: 4, startPosition: 3, base: 10000 };
        const turns = rotaryPositions(tf.reshape(tf.range(0, 48, 1, 'float32'), [1, 4, 12]) as tf.Tensor3D, settings);
        return tf.matMul(turns, turns, false, true).dataSync() as Float32Array;
      });
    const before = turned();
    const { HEAPU8 } = (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm;
    const large = Array.from({ length: 8 }, () => tf.zeros([2048, 2048]));
    expect(HEAPU8.byteLength).toBe(0); // a view of the memory before it grew
    expect(turned()).toEqual(before);
    tf.dispose(large);
  });
});

describe('prepareWasmMemory', () => {
  const webAssembly = Reflect.get(globalThis, 'WebAssembly');
  // A module that exports a memory of one page as 'm'.
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 0x6d, 2, 0);

  it('gives the memory that an instance exports, and ends the watch', async () => {
    const original = webAssembly.instantiate;
    const end = prepareWasmMemory();
    const { instance } = await webAssembly.instantiate(bytes);
    expect(end()).toBe(instance.exports.m);
    expect(webAssembly.instantiate).toBe(original);
  });

  it('gives undefined when no memory was seen', () => {
    expect(prepareWasmMemory()()).toBeUndefined();
  });
});
