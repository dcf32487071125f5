import type { InspectedModel } from './inspectedModel.js';

/** Most uses held at once, of all parameter tokens by all tokens of a pass: 64 MB of float32. */
const MOST_USES = 16_000_000;

/** Most images or texts of a pass. */
const LARGEST_BATCH = 32;

/** How many images or texts of so many tokens a pass takes; at least one. */
export function batchSizeFor(tokens: number, { tree }: InspectedModel): number {
  const numParamTokens = tree
    .names()
    .filter((name) => name.endsWith('/keyParamTokens'))
    .reduce((sum, name) => sum + tree.variable(name).shape[0], 0);
  return Math.max(1, Math.min(LARGEST_BATCH, Math.floor(MOST_USES / Math.max(1, tokens * numParamTokens))));
}
