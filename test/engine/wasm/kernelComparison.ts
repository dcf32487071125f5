/** @file Runs the same computation with the wasm kernels and with plain operations on the cpu backend. */
import { selectEngine, tf } from '#src/engine';
import { installWasmKernels, prepareWasmMemory } from '#src/engine/wasm';
import { createRandom } from '#src/random';

/** Starts the wasm backend with the kernels in place; the names of those installed. */
export async function startWasmKernels(): Promise<string[]> {
  const memory = prepareWasmMemory();
  await selectEngine('wasm');
  const { installed, reason } = await installWasmKernels(memory());
  if (reason !== undefined) throw new Error(`${reason} (node src/engine/wasm/build.mjs)`);
  return installed;
}

/** Numbers of a normal distribution, the same for the same seed and shape. */
export function normalNumbers(seed: number, shape: number[], scale = 1): Float32Array {
  const random = createRandom(seed, 'kernelComparison', ...shape);
  return Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => scale * random.normal());
}

/** The results of a computation on a backend, as arrays. */
export async function resultsOn(backend: 'wasm' | 'cpu', compute: () => tf.Tensor[]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const results = tf.tidy(() => compute().map((tensor) => tensor.clone()));
  const arrays = results.map((tensor) => tensor.dataSync() as Float32Array);
  tf.dispose(results);
  return arrays;
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

/** `relativeDifference` of every result, wasm against cpu. */
export async function differences(compute: () => tf.Tensor[], reference = compute, floor = 1): Promise<number[]> {
  const actual = await resultsOn('wasm', compute);
  const expected = await resultsOn('cpu', reference);
  if (actual.length !== expected.length) throw new Error(`${expected.length} results expected, got ${actual.length}`);
  return actual.map((numbers, i) => relativeDifference(numbers, expected[i], floor));
}
