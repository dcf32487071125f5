import { z } from 'zod';
import { LanguageModelConfig } from '#language';
import { LAYER_NAMES, type LayerName, layerPath } from '#src/tokenformer';
import { VisionModelConfig } from '#vision';
import { type BridgePart, FusionConfig } from './recipe.js';

/** What a merged checkpoint says of itself: both backbones' own descriptions, unchanged, and how they were joined. */
export const JointModelConfig = z.strictObject({
  vision: VisionModelConfig,
  language: LanguageModelConfig,
  fusion: FusionConfig,
});
export type JointModelConfig = z.output<typeof JointModelConfig>;

/** Bridge groups that text tokens use, and those that serve the image as text reads it. */
export const TEXT_BRIDGE = 'textBridge';
export const IMAGE_BRIDGE = 'imageBridge';
/** The groups of a cross-attention of its own, and the one that makes image tokens into text embeddings. */
const CROSS_ATTENTION = 'crossAttention';
const PREFIX = 'prefix';

/** The layer and the group of each bridge part; `prefix` is a layer in front of all blocks. */
export const BRIDGE_PLACES: Readonly<Record<BridgePart, { layer: LayerName | typeof PREFIX; group: string }>> = {
  textQuery: { layer: 'query', group: TEXT_BRIDGE },
  textKey: { layer: 'key', group: TEXT_BRIDGE },
  textValue: { layer: 'value', group: TEXT_BRIDGE },
  imageKey: { layer: 'key', group: IMAGE_BRIDGE },
  imageValue: { layer: 'value', group: IMAGE_BRIDGE },
  imageOutput: { layer: 'output', group: IMAGE_BRIDGE },
  crossQuery: { layer: 'query', group: CROSS_ATTENTION },
  crossKey: { layer: 'key', group: CROSS_ATTENTION },
  crossValue: { layer: 'value', group: CROSS_ATTENTION },
  crossOutput: { layer: 'output', group: CROSS_ATTENTION },
  prefix: { layer: PREFIX, group: 'imagePrefix' },
};

const BRIDGE_GROUPS = new Set(Object.values(BRIDGE_PLACES).map(({ group }) => group));

/** Path of the layer that holds a bridge part, such as `block0/attention/key`. */
export function bridgePath(part: BridgePart, blockIndex: number): string {
  const { layer } = BRIDGE_PLACES[part];
  return layer === PREFIX ? PREFIX : layerPath(blockIndex, layer);
}

/** True for parameters that fusion added: bridge groups and gates. */
export function isFusionParameter(name: string): boolean {
  return BRIDGE_GROUPS.has(name.split('/').at(-2) ?? '') || name.endsWith('Gate');
}

/** Gate of a block's own cross-attention. */
export function crossGate(blockIndex: number): string {
  return `block${blockIndex}/crossGate`;
}

/** Gate of the vision group on text tokens, one per block and layer. */
export function textGate(blockIndex: number, layer: LayerName): string {
  return `${layerPath(blockIndex, layer)}/vision/textGate`;
}

/** Gate of the language group on image tokens as text reads them, one per block for keys and one for values. */
export function imageGate(blockIndex: number, layer: 'key' | 'value'): string {
  return `${layerPath(blockIndex, layer)}/language/imageGate`;
}

/** Every gate of a merged model; only `grouped` and `crossAttention` have any. */
export function gateNames({ method }: FusionConfig, numLayers: number): string[] {
  const blocks = Array.from({ length: numLayers }, (_, l) => l);
  if (method === 'crossAttention') return blocks.map(crossGate);
  if (method !== 'grouped') return [];
  return blocks.flatMap((l) => [
    ...LAYER_NAMES.map((layer) => textGate(l, layer)),
    imageGate(l, 'key'),
    imageGate(l, 'value'),
  ]);
}

/**
 * True when both stacks have one shape, so that the vision key and value groups fit the text layers that read the image.
 * Otherwise the bridge alone maps the vision width to the language width.
 */
export function stacksMatch({ vision, language }: Pick<JointModelConfig, 'vision' | 'language'>): boolean {
  const [a, b] = [vision.backbone.stack, language.backbone.stack];
  return a.dModel === b.dModel && a.numLayers === b.numLayers && a.numHeads === b.numHeads;
}
