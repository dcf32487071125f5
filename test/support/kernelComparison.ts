/** @file Runs the same computation on an engine with kernels of its own and with plain operations on the cpu backend. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { selectEngine, tf } from '#src/engine';
import { createRandom } from '#src/random';
import { cudaKernels } from '../../src/engine/cuda/kernels/index.js';
import { type Addon, loadAddon } from '../../src/engine/native/addon.js';
import { nativeKernels } from '../../src/engine/native/kernels/index.js';
import { installWasmKernels } from '../../src/engine/wasm/kernels/index.js';
import { readKernels } from '../../src/engine/wasm/readKernels.js';
import { prepareWasmMemory } from '../../src/engine/wasm/wasmMemory.js';
import { COMPILED_WITHIN, startCard, wantsCard } from '../engine/cuda/card.js';

const loaded = loadAddon();

/** The compiled kernels; undefined where they are not built, and every suite of them is skipped. */
export const addon: Addon | undefined = 'reason' in loaded ? undefined : loaded;

/** Every build of the kernels that one binary holds; a processor that lacks one runs the next slower. */
const INSTRUCTION_SETS = process.arch === 'x64' ? ['', 'avx2', 'sse2'] : [''];

type Backend = 'native' | 'wasm' | 'cuda' | 'cpu';

/** The engine that the suite at work tests. */
let engine: Backend = 'native';

let wasmKernels: Promise<string[]> | undefined;

/** A suite on the native engine, once for every instruction set; skipped where the engine is not built. */
export function describeNative(name: string, suite: () => void): void {
  for (const limit of INSTRUCTION_SETS) {
    describe.skipIf(addon === undefined)(`${name}, ${limit || 'fastest'} instructions`, () => {
      beforeAll(async () => {
        engine = 'native';
        await selectEngine('native');
        addon!.choose(limit);
      });
      afterAll(() => {
        addon?.choose('');
      });
      suite();
    });
  }
}

/** A suite on the wasm engine, which must have these kernels of its own. */
export function describeWasm(name: string, kernels: readonly string[], suite: () => void): void {
  describe(`${name}, wasm`, () => {
    beforeAll(async () => {
      engine = 'wasm';
      wasmKernels ??= startWasmKernels();
      expect(await wasmKernels).toEqual(expect.arrayContaining([...kernels]));
    });
    suite();
  });
}

/** A suite on the cuda engine, which must have these kernels; under TOKENFUSE_TEST_CUDA alone, where its absence is a failure. */
export function describeCuda(name: string, kernels: readonly string[], suite: () => void): void {
  describe.skipIf(!wantsCard)(`${name}, cuda`, () => {
    beforeAll(async () => {
      engine = 'cuda';
      await startCard();
      expect(cudaKernels().compiled).toEqual(expect.arrayContaining([...kernels]));
    }, COMPILED_WITHIN);
    suite();
  });
}

/** A suite on the engines that compile kernels of their own, native and cuda, which must have those named. */
export function describeCompiled(name: string, kernels: readonly string[], suite: () => void): void {
  describeNative(`${name}, native`, () => {
    beforeAll(() => {
      expect(nativeKernels().compiled).toEqual(expect.arrayContaining([...kernels]));
    });
    suite();
  });
  describeCuda(name, kernels, suite);
}

/** A suite on every engine with kernels of this project, which must have those named. */
export function describeKernels(name: string, kernels: readonly string[], suite: () => void): void {
  describeWasm(name, kernels, suite);
  describeCompiled(name, kernels, suite);
}

/** Starts the wasm backend with the kernels in place; the names of those installed. */
async function startWasmKernels(): Promise<string[]> {
  const memory = prepareWasmMemory();
  await selectEngine('wasm');
  const { installed, reason } = await installWasmKernels(memory(), readKernels());
  if (reason !== undefined) throw new Error(`${reason} (node src/engine/wasm/build.mjs)`);
  return installed;
}

/** Makes the engine under test the current one. */
export async function startEngine(): Promise<void> {
  await selectEngine(engine);
}

/** Drawn before, by seed and shape: the suites of all engines ask for the same. */
const drawn = new Map<string, Float64Array>();

/** Numbers of a normal distribution, the same for the same seed and shape. */
export function normalNumbers(seed: number, shape: number[], scale = 1): Float32Array {
  const key = `${seed} ${shape}`;
  let numbers = drawn.get(key);
  if (numbers === undefined) {
    const random = createRandom(seed, 'kernelComparison', ...shape);
    numbers = Float64Array.from({ length: tf.util.sizeFromShape(shape) }, random.normal);
    drawn.set(key, numbers);
  }
  return Float32Array.from(numbers, (number) => scale * number);
}

/** Whether arrays have the same bits, NaN included; `toEqual` takes a hundred times as long. */
export function sameBits(actual: readonly Float32Array[], expected: readonly Float32Array[]): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
    Buffer.from(buffer, byteOffset, byteLength);
  return actual.length === expected.length && actual.every((array, i) => bytes(array).equals(bytes(expected[i])));
}

/** The results of a computation on a backend, as arrays. */
export async function resultsOn(backend: Backend, compute: () => tf.Tensor[]): Promise<Float32Array[]> {
  await selectEngine(backend);
  const results = tf.tidy(() => compute().map((tensor) => tensor.clone()));
  const arrays = results.map((tensor) => tensor.dataSync() as Float32Array);
  tf.dispose(results);
  return arrays;
}

/** The results of a computation on the engine under test. */
export function resultsOf(compute: () => tf.Tensor[]): Promise<Float32Array[]> {
  return resultsOn(engine, compute);
}

/** Type and shape of every result, on the engine under test and on the cpu backend. */
export async function typesOf(compute: () => tf.Tensor[]): Promise<{ actual: string[]; expected: string[] }> {
  const typesOn = async (backend: Backend): Promise<string[]> => {
    await selectEngine(backend);
    return tf.tidy(() => compute().map(({ shape, dtype }) => `${dtype}[${shape}]`));
  };
  return { actual: await typesOn(engine), expected: await typesOn('cpu') };
}

/**
 * max |a − b| / max |b|; Infinity for unequal lengths or anything not a number. Results smaller than `floor` are
 * measured against it: a lone sum of numbers of order 1 may cancel, and what is left of it says nothing about precision.
 */
export function relativeDifference(actual: Float32Array, expected: Float32Array, floor = 1): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = floor;
  for (let i = 0; i < expected.length; i++) {
    const apart = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, apart);
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}

/** Results of named references. */
const references = new Map<string, Float32Array[]>();

/**
 * `relativeDifference` of every result, the engine under test against cpu.
 *
 * @param name of a reference: the suites of other engines, which ask for the same one, need not compute it again
 */
export async function differences(
  compute: () => tf.Tensor[],
  reference = compute,
  floor = 1,
  name?: string,
): Promise<number[]> {
  const actual = await resultsOf(compute);
  const expected = references.get(name ?? '') ?? (await resultsOn('cpu', reference));
  if (name !== undefined) references.set(name, expected);
  if (actual.length !== expected.length) throw new Error(`${expected.length} results expected, got ${actual.length}`);
  return actual.map((numbers, i) => relativeDifference(numbers, expected[i], floor));
}
