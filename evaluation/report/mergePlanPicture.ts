import { fusionMethod, type MergePlan } from '#fusion';

/** What the drawing of a merge shows: which groups of parameter tokens each Pattention layer holds. */
export interface MergePlanPicture {
  readonly method: string;
  /** Which tokens use which groups, in a sentence. */
  readonly description: string;
  /** Where the method comes from. */
  readonly paper?: string;
  /** Absent where the method has no choice. */
  readonly imageStates?: 'last' | 'perLayer';
  /** All groups of a layer share one norm. */
  readonly oneNorm: boolean;
  /** The Pattention layers, block after block. */
  readonly layers: readonly PictureLayer[];
  /** Parameters of the whole merged model, embeddings and norms included. */
  readonly totals: { readonly trained: number; readonly frozen: number };
}

export interface PictureLayer {
  /** From 0. */
  readonly block: number;
  /** query, key, value, output, ffn, or a layer that the method added. */
  readonly layer: string;
  readonly groups: readonly PictureGroup[];
}

export interface PictureGroup {
  readonly name: string;
  /** The tokens that use it. */
  readonly stream: 'image' | 'text' | 'both';
  readonly numParamTokens: number;
  readonly parameters: number;
  readonly trained: boolean;
  readonly origin: 'vision' | 'language' | 'bridge';
}

/**
 * The picture of a plan.
 *
 * @param totals parameters of the whole model that alignment trains, and the rest
 */
export function mergePlanPicture(plan: MergePlan, totals: MergePlanPicture['totals']): MergePlanPicture {
  const { fusion } = plan.config;
  const { name, description, paper, backboneGroups, options } = fusionMethod(fusion.method);
  const keys = [...new Set(plan.groups.map(({ block, layer }) => `${block}/${layer}`))];
  return {
    method: name,
    description,
    paper,
    imageStates: options.includes('imageStates') ? fusion.imageStates : undefined,
    oneNorm: backboneGroups === 'union',
    layers: keys.map((key) => {
      const groups = plan.groups.filter(({ block, layer }) => `${block}/${layer}` === key);
      return {
        block: groups[0].block,
        layer: groups[0].layer,
        groups: groups.map(({ group, origin, stream, numParamTokens, parameters }) => ({
          name: group,
          stream,
          numParamTokens,
          parameters,
          trained: origin === 'bridge',
          origin,
        })),
      };
    }),
    totals,
  };
}

/** A run of equal blocks, or one block. */
export interface PictureBlock {
  readonly first: number;
  readonly last: number;
  readonly layers: readonly PictureLayer[];
}

/** Up to this many blocks are drawn one by one. */
const MAX_SINGLE_BLOCKS = 6;

/** The blocks in order; when they are more than six, each run of equal ones becomes one. */
export function pictureBlocks(layers: readonly PictureLayer[]): PictureBlock[] {
  const byBlock = new Map<number, PictureLayer[]>();
  for (const layer of layers) byBlock.set(layer.block, [...(byBlock.get(layer.block) ?? []), layer]);
  const content = (block: PictureBlock) => JSON.stringify(block.layers.map(({ layer, groups }) => [layer, groups]));
  const blocks: PictureBlock[] = [];
  for (const [block, blockLayers] of [...byBlock].sort(([a], [b]) => a - b)) {
    const single = { first: block, last: block, layers: blockLayers };
    const previous = blocks.at(-1);
    const joins = byBlock.size > MAX_SINGLE_BLOCKS && previous?.last === block - 1;
    if (previous !== undefined && joins && content(previous) === content(single)) {
      blocks[blocks.length - 1] = { ...previous, last: block };
    } else blocks.push(single);
  }
  return blocks;
}
