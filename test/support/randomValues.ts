import { createRandom } from '#src/random';

/** `count` standard normal numbers that are exact in float32, named by a scope. */
export function randomValues(count: number, ...scope: (string | number)[]): Float32Array {
  const random = createRandom(11, ...scope);
  return Float32Array.from({ length: count }, () => random.normal());
}
