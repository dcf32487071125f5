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

/** The layer and the group of each bridge part. */
export const BRIDGE_PLACES: Readonly<Record<BridgePart, { layer: LayerName; group: string }>> = {
  textQuery: { layer: 'query', group: TEXT_BRIDGE },
  textKey: { layer: 'key', group: TEXT_BRIDGE },
  textValue: { layer: 'value', group: TEXT_BRIDGE },
  imageKey: { layer: 'key', group: IMAGE_BRIDGE },
  imageValue: { layer: 'value', group: IMAGE_BRIDGE },
  imageOutput: { layer: 'output', group: IMAGE_BRIDGE },
};

/** True for parameters that fusion added: bridge groups and gates. */
export function isFusionParameter(name: string): boolean {
  return name.includes(`/${TEXT_BRIDGE}/`) || name.includes(`/${IMAGE_BRIDGE}/`) || name.endsWith('Gate');
}

/** Gate of the vision group on text tokens, one per block and layer. */
export function textGate(blockIndex: number, layer: LayerName): string {
  return `${layerPath(blockIndex, layer)}/vision/textGate`;
}

/** Gate of the language group on image tokens as text reads them, one per block for keys and one for values. */
export function imageGate(blockIndex: number, layer: 'key' | 'value'): string {
  return `${layerPath(blockIndex, layer)}/language/imageGate`;
}

/** Every gate of a `grouped` model. */
export function gateNames(numLayers: number): string[] {
  return Array.from({ length: numLayers }, (_, l) => [
    ...LAYER_NAMES.map((layer) => textGate(l, layer)),
    imageGate(l, 'key'),
    imageGate(l, 'value'),
  ]).flat();
}

/**
 * True when both stacks have one shape, so that the vision key and value groups fit the text layers that read the image.
 * Otherwise the bridge alone maps the vision width to the language width.
 */
export function stacksMatch({ vision, language }: Pick<JointModelConfig, 'vision' | 'language'>): boolean {
  const [a, b] = [vision.vision.stack, language.language.stack];
  return a.dModel === b.dModel && a.numLayers === b.numLayers && a.numHeads === b.numHeads;
}
