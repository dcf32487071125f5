import type { BlockAttributes } from '#src/engine';
import { LAYER_NORM_EPSILON } from '#src/kernels';
import type { AttentionContext } from './attend.js';
import type { BlockLayers } from './block.js';
import { rotaryDims, type TokenFormerConfig } from './config.js';
import type { PattentionLayer } from './pattentionLayer.js';

/** The mathematical settings of a block, as kernels name them. */
export type BlockMath = Omit<BlockAttributes, 'groupsOfLayers' | 'taus'>;

export function blockMath(config: TokenFormerConfig): BlockMath {
  return {
    numHeads: config.numHeads,
    rotaryDims: rotaryDims(config),
    rotaryBase: config.rotaryBase,
    normActivation: config.normActivation,
    gelu: config.gelu,
    epsilon: config.normEpsilon,
    layerNormEpsilon: LAYER_NORM_EPSILON,
  };
}

/** The layers of a block in the order of the kernels. */
export function kernelLayers(
  { query, key, value, output, ffn }: BlockLayers,
  context: AttentionContext | undefined,
): PattentionLayer[] {
  return [query, key, value, output, context?.outputGroups ?? [], ffn];
}

/** Attributes of the kernels of one block, or of several one after the other. */
export function blockAttributes(layers: readonly PattentionLayer[], config: TokenFormerConfig): BlockAttributes {
  return {
    groupsOfLayers: layers.map(({ length }) => length),
    taus: layers.flat().map(({ group }) => group.tau),
    ...blockMath(config),
  };
}
