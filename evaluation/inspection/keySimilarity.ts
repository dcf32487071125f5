import { LANGUAGE_GROUP } from '#language';
import { tf } from '#src/engine';
import { createRandom } from '#src/random';
import type { ParameterTree } from '#src/tokenformer';
import { startWork } from '#src/tracking';
import { VISION_GROUP } from '#vision';
import { rounded } from './groupTally.js';
import type { InspectedGroup, KeySimilarity, LayerSimilarity, SimilarPair } from './inspection.js';

/** Permutations that chance is measured by: larger than in all of 19 is a chance of one in twenty. */
const DRAWS = 19;
/** Keys compared of a group. */
const MOST_KEYS = 512;
const PAIRS = 8;

/**
 * How alike the keys of the vision and the language groups of each layer are. With v̂, l̂ keys of length 1:
 *
 *   best = mean over vision keys of max over language keys of ⟨v̂, l̂⟩
 *
 * Chance is the same with the coordinates of all vision keys permuted, and their signs flipped, in one random way: that keeps
 * lengths, and the angles of each group's keys among themselves, but takes away what both groups' coordinates have in common.
 *
 * @returns null where no layer holds keys of both of one width
 */
export async function keySimilarity(
  tree: ParameterTree,
  groups: readonly InspectedGroup[],
): Promise<KeySimilarity | null> {
  const layers = layersOfBoth(groups);
  if (layers.length === 0) return null;
  const report = startWork('key similarity', layers.length, 'layers');
  const found: LayerSimilarity[] = [];
  const pairs: SimilarPair[] = [];
  for (const [i, { block, layer, vision, language }] of layers.entries()) {
    const [a, b] = [await keysOf(tree, vision), await keysOf(tree, language)];
    const best = await bestCosines(a.keys, b.keys, a.width);
    const draws: number[] = [];
    for (let draw = 0; draw < DRAWS; draw++) {
      const { values } = await bestCosines(signedPermutation(a.keys, a.width, [block, layer, draw]), b.keys, a.width);
      draws.push(meanOf(values));
    }
    const mean = meanOf(best.values);
    const [low, high] = [Math.min(...draws), Math.max(...draws)];
    found.push({
      ...{ block, layer, visionKeys: vision.numParamTokens, languageKeys: language.numParamTokens },
      best: rounded(mean),
      chance: { mean: rounded(meanOf(draws)), low: rounded(low), high: rounded(high) },
      aboveChance: mean > high,
    });
    for (const [v, cosine] of best.values.entries()) {
      const [visionToken, languageToken] = [a.tokens[v], b.tokens[best.places[v]]];
      pairs.push({ block, layer, visionToken, languageToken, cosine: rounded(cosine) });
    }
    pairs.sort((one, other) => other.cosine - one.cosine);
    pairs.length = Math.min(pairs.length, PAIRS);
    report(i + 1);
  }
  return { draws: DRAWS, mostKeys: MOST_KEYS, layers: found, pairs };
}

/** The layers in which each backbone has its own group, of one width. */
function layersOfBoth(groups: readonly InspectedGroup[]) {
  return groups.flatMap((vision) => {
    if (vision.block === null || vision.group !== VISION_GROUP) return [];
    const { block, layer, dIn } = vision;
    const language = groups.find(
      (other) => other.group === LANGUAGE_GROUP && other.block === block && other.layer === layer && other.dIn === dIn,
    );
    return language ? [{ block, layer, vision, language }] : [];
  });
}

/** Keys of length 1 on the host, evenly spaced where there are many. */
interface Keys {
  /** [tokens, width] */
  readonly keys: Float32Array;
  readonly width: number;
  /** Which parameter tokens they are of. */
  readonly tokens: readonly number[];
}

async function keysOf(tree: ParameterTree, { path, numParamTokens, dIn }: InspectedGroup): Promise<Keys> {
  const all = (await tree.variable(`${path}/keyParamTokens`).data()) as Float32Array;
  const count = Math.min(MOST_KEYS, numParamTokens);
  const tokens = Array.from({ length: count }, (_, i) => Math.floor((i * numParamTokens) / count));
  const keys = new Float32Array(count * dIn);
  for (const [i, token] of tokens.entries()) {
    const key = all.subarray(token * dIn, (token + 1) * dIn);
    const length = Math.sqrt(key.reduce((sum, value) => sum + value * value, 0));
    // A key of zeros, as of an appended token, is like no other.
    for (let d = 0; d < dIn; d++) keys[i * dIn + d] = length > 0 ? key[d] / length : 0;
  }
  return { keys, width: dIn, tokens };
}

/** For every vision key the largest cosine with a language key, and which that is. */
async function bestCosines(
  vision: Float32Array,
  language: Float32Array,
  width: number,
): Promise<{ values: number[]; places: number[] }> {
  const [largest, place] = tf.tidy(() => {
    const of = (keys: Float32Array): tf.Tensor2D => tf.tensor2d(keys, [keys.length / width, width]);
    const cosines = tf.matMul(of(vision), of(language), false, true); // [vision keys, language keys]
    return [tf.max(cosines, 1), tf.argMax(cosines, 1)];
  });
  const [values, places] = await Promise.all([largest.data(), place.data()]);
  tf.dispose([largest, place]);
  return { values: [...values], places: [...places] };
}

/** The keys with their coordinates permuted and their signs flipped, the same way in every key. */
function signedPermutation(keys: Float32Array, width: number, scope: readonly (string | number)[]): Float32Array {
  const random = createRandom(0, 'key similarity', ...scope);
  const order = random.shuffled(Array.from({ length: width }, (_, d) => d));
  const signs = order.map(() => (random.uniform() < 0.5 ? -1 : 1));
  return keys.map((_, at) => {
    const d = at % width;
    return signs[d] * keys[at - d + order[d]];
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
