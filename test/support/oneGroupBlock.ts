import { type BlockLayers, blocksOf, layerPath, type ParameterTree, readGroup } from '#src/tokenformer';

/** The layers of one block, each of which holds the group of that name alone. */
export function oneGroupBlock(tree: ParameterTree, group: string, blockIndex: number): BlockLayers {
  return blocksOf(1, (layer) => [{ group: readGroup(tree, layerPath(blockIndex, layer), group) }])[0];
}
