import { LANGUAGE_GROUP } from '#language';
import { tf } from '#src/engine';
import {
  isGroupOf,
  LAYER_NAMES,
  LAYER_PATHS,
  type ParameterTree,
  type ParamTokenGroup,
  readGroup,
} from '#src/tokenformer';
import { VISION_GROUP } from '#vision';
import { octaveHistogram, octavesOf, rounded } from './groupTally.js';
import type { GroupUse, InspectedGroup } from './inspection.js';
import type { RecordedGroup } from './passRecorder.js';

/**
 * Every group of a model with the uses that passes recorded: those of its parameters, then those that only a pass knew of, in
 * the order of blocks and layers.
 */
export async function inspectedGroups(
  tree: ParameterTree,
  recorded: readonly RecordedGroup[],
  deadShare: number,
): Promise<InspectedGroup[]> {
  const groups = new Map<string, ParamTokenGroup>();
  for (const name of tree.names()) {
    const [, path, layerPath, group] = /^((.+)\/([^/]+))\/keyParamTokens$/.exec(name) ?? [];
    if (path !== undefined) groups.set(path, readGroup(tree, layerPath, group));
  }
  const usesOf = new Map<string, RecordedGroup[]>();
  for (const record of recorded) {
    const path = `${record.layerPath}/${record.group.name}`;
    if (!groups.has(path)) groups.set(path, record.group);
    usesOf.set(path, [...(usesOf.get(path) ?? []), record]);
  }
  const found: InspectedGroup[] = [];
  for (const [path, { name, keyParamTokens, valueParamTokens, tau }] of groups) {
    const [keyNorms, valueNorms] = await Promise.all([rowNorms(keyParamTokens), rowNorms(valueParamTokens)]);
    const [numParamTokens, dIn] = keyParamTokens.shape;
    found.push({
      ...{
        path,
        ...placeOf(path),
        group: name,
        numParamTokens,
        dIn,
        dOut: valueParamTokens.shape[1],
        tau: rounded(tau),
      },
      ...{ keyNorms, valueNorms },
      uses: (usesOf.get(path) ?? []).map((record) => useOf(record, recorded, deadShare)),
    });
  }
  return sorted(found);
}

/** Block and layer of a group's path. */
function placeOf(path: string): Pick<InspectedGroup, 'block' | 'layer'> {
  const layerPath = path.slice(0, path.lastIndexOf('/'));
  const [, block, inBlock] = /^block(\d+)\/(.+)$/.exec(layerPath) ?? [];
  const layer = LAYER_NAMES.find((name) => LAYER_PATHS[name] === inBlock);
  return layer === undefined ? { block: null, layer: layerPath } : { block: Number(block), layer };
}

/** By block and layer, layers outside of the blocks first; in a layer the backbones' groups, each before those appended to it. */
function sorted(groups: readonly InspectedGroup[]): InspectedGroup[] {
  const layers: readonly string[] = LAYER_NAMES;
  const order = ({ block, layer, group }: InspectedGroup): number[] => {
    const backbone = [VISION_GROUP, LANGUAGE_GROUP].findIndex((name) => isGroupOf(name, group));
    return [block ?? -1, layers.indexOf(layer), backbone < 0 ? 2 : backbone];
  };
  return [...groups].sort((a, b) => {
    const [one, other] = [order(a), order(b)];
    const first = one.findIndex((value, i) => value !== other[i]);
    return first < 0 ? Number(a.group > b.group) - Number(a.group < b.group) : one[first] - other[first];
  });
}

async function rowNorms(rows: tf.Tensor2D): Promise<number[]> {
  const norms = tf.tidy(() => tf.norm(rows, 2, 1));
  const values = await norms.data();
  norms.dispose();
  return Array.from(values, rounded);
}

function useOf(
  { stream, sum: layerSum, tally }: RecordedGroup,
  recorded: readonly RecordedGroup[],
  deadShare: number,
): GroupUse {
  const ofLayer = recorded.filter((other) => other.stream === stream && other.sum === layerSum);
  const layerUse = ofLayer.reduce((sum, other) => sum + meanUse(other.tally), 0);
  const layerTokens = ofLayer.reduce((sum, other) => sum + other.tally.numParamTokens, 0);
  const layerMean = layerUse / layerTokens;
  const use = meansOf(tally.useSums, tally.rows);
  const squares = use.reduce((sum, u) => sum + u * u, 0);
  const total = use.reduce((sum, u) => sum + u, 0);
  const largest = Array.from(tally.largest, rounded);
  return {
    stream,
    rows: tally.rows,
    shareOfLayer: layerUse > 0 ? rounded(meanUse(tally) / layerUse) : 0,
    layerMean: rounded(layerMean),
    dead: [...largest.keys()].filter((token) => largest[token] <= deadShare * layerMean),
    effective: squares > 0 ? rounded(total ** 2 / squares) : 0,
    effectiveAtOnce: rounded(tally.effectiveSum / tally.rows),
    use,
    largest,
    weight: meansOf(tally.weightSums, tally.rows),
    squaredScore: meansOf(tally.squaredScoreSums, tally.rows),
    tokensByUse: octaveHistogram(use.map((u) => (layerMean > 0 ? u / layerMean : 0))),
    singleUses: octavesOf(tally.octaves),
    contexts: Array.from({ length: tally.numParamTokens }, (_, token) => tally.contextsOf(token)),
  };
}

/** Σ over parameter tokens of their mean use. */
function meanUse({ useSums, rows }: RecordedGroup['tally']): number {
  return useSums.reduce((sum, u) => sum + u, 0) / rows;
}

function meansOf(sums: Float64Array, rows: number): number[] {
  return Array.from(sums, (sum) => rounded(sum / rows));
}
