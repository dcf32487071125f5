/**
 * A fusion method in a file of your own: `sharedBridge`.
 *
 * As under `routed`, text reads image tokens through the vision backbone's key and value groups. But instead of bridge groups in
 * every block, all blocks share one pair, and each block has two gates that say how much of them it takes:
 *
 *   keys_l   = P(h; V_key_l)   + tanh(keyGate_l)   P(h; shared/key)        h = image states
 *   values_l = P(h; V_value_l) + tanh(valueGate_l) P(h; shared/value)
 *
 * A merge of L blocks so adds 2 groups and 2 L gates. Use it in a recipe as `fusion: { method: sharedBridge }`:
 *
 *   tokenfuse merge merge.yaml --plugin fusionMethod.ts
 *   tokenfuse align align.yaml --plugin fusionMethod.ts
 */
import {
  type AddedGroup,
  addedGate,
  addedGroup,
  backboneGroups,
  type FusionMethod,
  imageTokens,
  type JointModelConfig,
  registerFusionMethod,
  stacksMatch,
} from 'tokenfuse/plugins';

const GROUP = 'sharedBridge';
const LAYERS = ['key', 'value'] as const;
type Layer = (typeof LAYERS)[number];

/** Where the shared group of all keys, or of all values, is in the checkpoint. */
const pathOf = (layer: Layer): string => `shared/${layer}`;
/** How much of it block l takes. */
const gateOf = (block: number, layer: Layer): string => `block${block}/attention/${layer}/sharedGate`;
/** Those that a recipe asks for. */
const layersOf = ({ fusion }: JointModelConfig): Layer[] =>
  LAYERS.filter((layer) => fusion.bridge.tokens > 0 && fusion.bridge.parts.includes(layer));

export const sharedBridge: FusionMethod = {
  name: 'sharedBridge',
  description: 'Image tokens use the vision group, text tokens the language group; all blocks share one gated bridge.',

  // What a recipe may say. `bridge.parts` chooses among these places; no option is used besides imageStates.
  parts: [...LAYERS],
  options: ['imageStates'],

  // Both backbones stay what they are: images pass through the vision backbone, text alone through the language backbone.
  backboneGroups: 'separate',
  changesBackbones: false,
  replay: false,
  contextsPrecedeText: false,

  // Without a fitting vision group, only the shared value group could carry the image.
  backboneProblems: (config) =>
    stacksMatch(config) || layersOf(config).includes('value')
      ? []
      : [`bridge: expected the part 'value' with tokens above 0 for backbones of different shapes; got none`],

  // What the merge adds. Gates start at 0, which silences the groups; so these may start with random values.
  groups: (config) =>
    layersOf(config).map(
      (layer): AddedGroup => ({
        block: 0, // where plan and report list it
        layer: `shared ${layer}`,
        path: pathOf(layer),
        group: GROUP,
        numParamTokens: config.fusion.bridge.tokens,
        dIn: config.vision.backbone.stack.dModel,
        dOut: config.language.backbone.stack.dModel,
        stream: 'image',
        start: 'random',
      }),
    ),
  gates: (config) =>
    Array.from({ length: config.language.backbone.stack.numLayers }, (_, block) =>
      layersOf(config).map((layer) => gateOf(block, layer)),
    ).flat(),

  // What text reads of images: keys and values of image tokens for every text block, which its own attention includes.
  imageContexts: (model, states, options, statesNeedGradient) => {
    const image = imageTokens(model, states, statesNeedGradient);
    return Array.from({ length: model.config.language.backbone.stack.numLayers }, (_, block) => {
      const read = (layer: Layer) => {
        const vision = stacksMatch(model.config) ? backboneGroups(model, block, layer, 'vision') : [];
        // No group where bridges are off: `options.bridge` is false for the merge with zero trained parameters.
        const shared = addedGroup(model, pathOf(layer), GROUP, options).map((active) => ({
          ...active,
          gate: addedGate(model, gateOf(block, layer)),
        }));
        return image.sum([...vision, ...shared].map((active) => image.readStates(block, [active]))); // [batch, numImageTokens, dModel]
      };
      return { keys: read('key'), values: read('value'), outputGroups: [] };
    });
  },
};

registerFusionMethod(sharedBridge);
