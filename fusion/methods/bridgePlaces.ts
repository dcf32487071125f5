import { type ActiveGroup, type LayerName, layerPath } from '#src/tokenformer';
import type { JointModelConfig } from '../jointConfig.js';
import type { FusionOptions, JointModel } from '../jointModel.js';
import type { AddedGroup } from './fusionMethod.js';
import { addedGroup } from './modelGroups.js';

/** Where a bridge group sits in every text block. */
export interface BridgePlace {
  readonly layer: LayerName;
  readonly group: string;
  readonly stream: 'image' | 'text';
  /** Whose width it reads: `vision` for a group that reads image states. */
  readonly reads: 'vision' | 'language';
  /** As that of an `AddedGroup`. */
  readonly imitates?: AddedGroup['imitates'];
}

/** The bridge groups that a recipe's `bridge.parts` choose, in every text block. */
export function bridgesInEveryBlock(
  { vision, language, fusion }: JointModelConfig,
  places: Readonly<Record<string, BridgePlace>>,
  start: AddedGroup['start'],
): AddedGroup[] {
  const { tokens, parts } = fusion.bridge;
  const { dModel, numLayers } = language.backbone.stack;
  return Array.from({ length: numLayers }, (_, block) =>
    parts.map((part): AddedGroup => {
      const { layer, group, stream, reads, imitates } = places[part];
      const dIn = reads === 'vision' ? vision.backbone.stack.dModel : dModel;
      return {
        block,
        layer,
        path: layerPath(block, layer),
        group,
        numParamTokens: tokens,
        dIn,
        dOut: dModel,
        stream,
        start,
        ...(imitates && { imitates }),
      };
    }),
  ).flat();
}

/** The bridge group at a place in a text block; none where bridges are off or the recipe leaves it out. */
export function bridgeAt(
  model: JointModel,
  blockIndex: number,
  { layer, group }: BridgePlace,
  options: FusionOptions,
): ActiveGroup[] {
  return addedGroup(model, layerPath(blockIndex, layer), group, options);
}
