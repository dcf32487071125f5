/**
 * @file Seeded random numbers without hidden state: a stream is named by a seed and a scope, so that the numbers of
 * step 900 do not depend on what was drawn before and a resumed run draws the same ones.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number;
  /** Normal, mean 0, standard deviation 1 (Box-Muller). */
  normal(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** One element, uniformly. */
  choice<T>(items: readonly T[]): T;
  /** A new array in random order (Fisher-Yates). */
  shuffled<T>(items: readonly T[]): T[];
}

/**
 * The random stream of `scope` under `seed`; equal arguments give equal numbers on every machine.
 *
 * @param scope names and counters, such as `('augment', epoch, imageIndex)`
 */
export function createRandom(seed: number, ...scope: (string | number)[]): Random {
  // Not node:crypto: the bootstrap of `tokenfuse/metrics` runs in browsers too.
  const digest = sha256(new TextEncoder().encode(JSON.stringify([seed, ...scope])));
  const generator = xoroshiro128plus(new DataView(digest.buffer, digest.byteOffset).getInt32(0, true));
  const uniform = (): number => (generator.next() >>> 0) / 4294967296;
  let spare: number | undefined;
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const integer = (bound: number): number => Math.floor(uniform() * bound);
  return {
    uniform,
    normal,
    integer,
    choice: (items) => items[integer(items.length)],
    shuffled: (items) => {
      const result = items.slice();
      for (let i = result.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        [result[i], result[j]] = [result[j], result[i]];
      }
      return result;
    },
  };
}
