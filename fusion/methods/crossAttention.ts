import type { BridgePlace } from './bridgePlaces.js';
import { bridgeAt, bridgesInEveryBlock } from './bridgePlaces.js';
import type { FusionMethod } from './fusionMethod.js';
import { imageTokens } from './imageTokens.js';
import { addedGate } from './modelGroups.js';

const GROUP = 'crossAttention';

/** The four layers of the cross-attention. */
const PLACES = {
  crossQuery: { layer: 'query', group: GROUP, stream: 'text', reads: 'language' },
  crossKey: { layer: 'key', group: GROUP, stream: 'image', reads: 'vision' },
  crossValue: { layer: 'value', group: GROUP, stream: 'image', reads: 'vision' },
  crossOutput: { layer: 'output', group: GROUP, stream: 'text', reads: 'language' },
} as const satisfies Record<string, BridgePlace>;

/** Gate of a block's cross-attention. */
function crossGate(blockIndex: number): string {
  return `block${blockIndex}/crossGate`;
}

/**
 * A gated cross-attention in front of every text block, as Flamingo has it, gate 0 at first:
 *
 *   x ← x + tanh(gate) P(attention(P(LN x; C_q), P(h; C_k), P(h; C_v)); C_o)
 */
export const crossAttention: FusionMethod = {
  name: 'crossAttention',
  description: 'Both backbones keep their own groups; before each text block a gated attention reads the image.',
  paper: 'arXiv 2204.14198',
  parts: Object.keys(PLACES),
  options: ['imageStates'],
  backboneGroups: 'separate',
  changesBackbones: false,
  replay: false,
  contextsPrecedeText: false,
  recipeProblems: ({ bridge }) => {
    if (bridge.tokens === 0)
      return [{ path: ['bridge', 'tokens'], message: "expected 1 or more: method 'crossAttention' is nothing else" }];
    const missing = ['crossQuery', 'crossOutput'].find((part) => !bridge.parts.includes(part));
    return missing
      ? [{ path: ['bridge', 'parts'], message: `expected ${missing} among them: attention needs it` }]
      : [];
  },
  groups: (config) => bridgesInEveryBlock(config, PLACES, 'random'),
  gates: ({ language }) => Array.from({ length: language.backbone.stack.numLayers }, (_, l) => crossGate(l)),
  imageContexts: (model, states, options, statesNeedGradient) => {
    if (!options.bridge) return [];
    const image = imageTokens(model, states, statesNeedGradient);
    const read = (l: number, place: BridgePlace) =>
      image.sum(bridgeAt(model, l, place, options).map((active) => image.readStates(l, [active])));
    return Array.from({ length: model.config.language.backbone.stack.numLayers }, (_, l) => ({
      keys: read(l, PLACES.crossKey),
      values: read(l, PLACES.crossValue),
      outputGroups: bridgeAt(model, l, PLACES.crossOutput, options),
      separate: {
        query: bridgeAt(model, l, PLACES.crossQuery, options),
        gate: addedGate(model, crossGate(l)),
      },
    }));
  },
};
