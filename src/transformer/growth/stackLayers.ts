import { UserError } from '#src/errors';
import type { TransformerConfig } from '../config.js';
import { WEIGHT_NAMES, weightPath } from '../transformerLayers.js';
import type { TransformerGrowth } from './transformerGrowth.js';

/**
 * Depthwise stacking, G_stack (Du et al., arXiv 2405.15319): the trained blocks once more on top, block l of the larger model being
 * block l mod L. The function is not kept. Each copy of a block starts with the moments of its own.
 *
 * @param factor how often the blocks stand on each other, from 2
 * @throws UserError for another factor
 */
export function stackLayers(config: TransformerConfig, groupName: string, factor: number): TransformerGrowth {
  if (!Number.isInteger(factor) || factor < 2)
    throw new UserError(`stack: expected a whole factor of at least 2 for the depth, got ${factor}`);
  const numLayers = factor * config.numLayers;
  const copies = new Map<string, string[]>();
  for (let l = 0; l < numLayers; l++) {
    for (const weight of WEIGHT_NAMES) {
      const from = weightPath(l % config.numLayers, weight, groupName);
      copies.set(from, [...(copies.get(from) ?? []), weightPath(l, weight, groupName)]);
    }
  }
  return {
    config: { ...config, numLayers },
    grow: (name, tensor) => (copies.get(name) ?? [name]).map((copy) => [copy, tensor]),
  };
}
