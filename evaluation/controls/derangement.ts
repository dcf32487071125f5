import { createRandom } from '#src/random';

/** A permutation without fixed points: no image keeps its own captions. A single image keeps its place. */
export function derangement(count: number, seed: number, name: string): number[] {
  const cycle = createRandom(seed, 'shuffle', name).shuffled(Array.from({ length: count }, (_, i) => i));
  const order = new Array<number>(count);
  for (const [i, position] of cycle.entries()) order[position] = cycle[(i + 1) % count];
  return order;
}
