/** @file What `routed`, `grouped` and `union` share: text attends to the image in its own layers' softmax. */

import type { tf } from '#src/engine';
import type { ActiveGroup, AttentionContext, LayerName } from '#src/tokenformer';
import type { JointModelConfig } from '../jointConfig.js';
import type { FusionOptions, JointModel } from '../jointModel.js';
import type { FusionConfig } from '../recipe.js';
import { type BridgePlace, bridgeAt, bridgesInEveryBlock } from './bridgePlaces.js';
import type { FusionMethod, RecipeProblem } from './fusionMethod.js';
import { type ImageTokens, imageTokens, type LayerReading } from './imageTokens.js';
import { addedHeadGate, stacksMatch } from './modelGroups.js';

/** Bridge groups that text tokens use, and those that serve the image as text reads it. */
export const TEXT_BRIDGE = 'textBridge';
export const IMAGE_BRIDGE = 'imageBridge';

/** Bridges on text tokens, on image tokens as text reads them, and on what attention read of the image. */
const PLACES = {
  textQuery: { layer: 'query', group: TEXT_BRIDGE, stream: 'text', reads: 'language' },
  textKey: { layer: 'key', group: TEXT_BRIDGE, stream: 'text', reads: 'language' },
  textValue: { layer: 'value', group: TEXT_BRIDGE, stream: 'text', reads: 'language' },
  imageKey: { layer: 'key', group: IMAGE_BRIDGE, stream: 'image', reads: 'vision', imitates: 'key' },
  imageValue: { layer: 'value', group: IMAGE_BRIDGE, stream: 'image', reads: 'vision' },
  imageOutput: { layer: 'output', group: IMAGE_BRIDGE, stream: 'image', reads: 'language' },
} as const satisfies Record<string, BridgePlace>;

/** The bridge parts of joint layers. */
export const BRIDGE_PARTS = Object.keys(PLACES) as (keyof typeof PLACES)[];

/** Gate of a block's attention to the image, with `imageGate: closed`. */
function imageGate(blockIndex: number): string {
  return `block${blockIndex}/attention/imageGate`;
}

function isClosed({ fusion }: JointModelConfig): boolean {
  return fusion.imageGate === 'closed';
}

/** Fields that the three methods have in common. */
export const JOINT_LAYERS = {
  parts: BRIDGE_PARTS,
  replay: true,
  contextsPrecedeText: false,
  recipeProblems: ({ positionValues, bridge }: FusionConfig): RecipeProblem[] =>
    positionValues && !bridge.parts.includes('imageValue')
      ? [
          {
            path: ['positionValues'],
            message: "expected 'imageValue' among bridge.parts with it: no other part reads positions",
          },
        ]
      : [],
  groups: (config) => {
    // Positions are the same for every image.
    const imageValue: BridgePlace = config.fusion.positionValues
      ? PLACES.imageValue
      : { ...PLACES.imageValue, imitates: 'value' };
    const groups = bridgesInEveryBlock(config, { ...PLACES, imageValue }, 'silent');
    if (!isClosed(config) || stacksMatch(config)) return groups;
    // Without the vision groups a silent bridge alone has values: behind a closed gate, neither would ever get a gradient.
    return groups.map((added) =>
      added.layer === imageValue.layer && added.group === imageValue.group ? { ...added, start: 'random' } : added,
    );
  },
  headGates: (config) =>
    isClosed(config) ? Array.from({ length: config.language.backbone.stack.numLayers }, (_, l) => imageGate(l)) : [],
} satisfies Partial<FusionMethod>;

const TEXT_BRIDGES: Partial<Record<LayerName, BridgePlace>> = {
  query: PLACES.textQuery,
  key: PLACES.textKey,
  value: PLACES.textValue,
};

/** The bridge of a layer that text tokens use. */
export function textBridge(model: JointModel, l: number, layer: LayerName, options: FusionOptions): ActiveGroup[] {
  const place = TEXT_BRIDGES[layer];
  return place ? bridgeAt(model, l, place, options) : [];
}

/** Reads image tokens through the backbones' groups of a text layer's keys or values. */
export type BackboneReading = (image: ImageTokens, l: number, layer: 'key' | 'value') => LayerReading['keys'];

/**
 * The terms of `jointContexts`, group by group: what the backbones' groups make of the image, then the image bridge.
 */
export function jointReadings(
  model: JointModel,
  image: ImageTokens,
  options: FusionOptions,
  readBackbones: BackboneReading,
): LayerReading[] {
  const { language, fusion } = model.config;
  const read = (l: number, layer: 'key' | 'value'): LayerReading['keys'] => {
    const place = layer === 'key' ? PLACES.imageKey : PLACES.imageValue;
    const readsPositions = layer === 'value' && fusion.positionValues;
    return [
      ...readBackbones(image, l, layer),
      ...bridgeAt(model, l, place, options).map((active) =>
        readsPositions ? image.readPositions([active]) : image.readStates(l, [active]),
      ),
    ];
  };
  return Array.from({ length: language.backbone.stack.numLayers }, (_, l) => ({
    keys: read(l, 'key'),
    values: read(l, 'value'),
  }));
}

/**
 * The image as each text layer reads it:
 *
 *   keys   = P(h; B_k) + P(h; X_k)       h = the image state, 'what'
 *   values = P(h; B_v) + P(e; X_v)       e = LN(vision position embedding), 'where' (h without `positionValues`)
 *
 * with B the backbones' groups that the method reads through and X the image bridge. With `imageGate: closed` each has a gate, and
 * there are none where what alignment trains is off.
 */
export function jointContexts(
  model: JointModel,
  states: tf.Tensor4D,
  options: FusionOptions,
  statesNeedGradient: boolean,
  readBackbones: BackboneReading,
): AttentionContext[] {
  const closed = isClosed(model.config);
  if (closed && !options.bridge) return [];
  const image = imageTokens(model, states, statesNeedGradient);
  return jointReadings(model, image, options, readBackbones).map(({ keys, values }, l) => ({
    keys: image.sum(keys),
    values: image.sum(values),
    outputGroups: bridgeAt(model, l, PLACES.imageOutput, options),
    ...(closed && { gate: addedHeadGate(model, imageGate(l)) }),
  }));
}
