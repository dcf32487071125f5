import { LANGUAGE_GROUP, languageBlocks } from '#language';
import { runStack } from '#src/tokenformer';
import type { FusionMethod } from './fusionMethod.js';
import { imageTokens } from './imageTokens.js';
import { withLora } from './lora.js';
import { addedGroup } from './modelGroups.js';

/** The layer in front of all blocks, and its group. */
const LAYER = 'prefix';
const GROUP = 'imagePrefix';

/**
 * Image tokens as text embeddings in front of the text, P(h; prefix), through the language backbone as any text, as LiMBeR
 * has it. What text reads of them are their keys and values, those of earlier tokens.
 */
export const prefix: FusionMethod = {
  name: 'prefix',
  description:
    'Both backbones keep their own groups; a bridge group makes image tokens into text in front of the text.',
  paper: 'arXiv 2209.15162',
  parts: [LAYER],
  options: [],
  backboneGroups: 'separate',
  changesBackbones: false,
  replay: false,
  contextsPrecedeText: true,
  recipeProblems: ({ bridge }) => {
    if (bridge.tokens === 0)
      return [{ path: ['bridge', 'tokens'], message: "expected 1 or more: method 'prefix' is nothing else" }];
    return bridge.parts.length === 0 ? [{ path: ['bridge', 'parts'], message: `expected ${LAYER}, got none` }] : [];
  },
  groups: ({ vision, language, fusion }) => [
    {
      block: 0,
      layer: LAYER,
      path: LAYER,
      group: GROUP,
      numParamTokens: fusion.bridge.tokens,
      dIn: vision.backbone.stack.dModel,
      dOut: language.backbone.stack.dModel,
      stream: 'image',
      start: 'random',
      imitates: 'embedding',
    },
  ],
  imageContexts: (model, states, options, statesNeedGradient) => {
    if (!options.bridge) return [];
    const language = model.config.language.backbone;
    const image = imageTokens(model, states, statesNeedGradient);
    const { output } = image.readStates(0, addedGroup(model, LAYER, GROUP, options)); // [batch, numImageTokens, dModel]
    const blocks = withLora(languageBlocks(model.tree, language), model, LANGUAGE_GROUP, options);
    const { caches } = runStack(output, blocks, language.stack, { mask: { kind: 'causal' }, keepCaches: true });
    return caches.map(({ keys, values }) => ({ keys, values, outputGroups: [] }));
  },
};
