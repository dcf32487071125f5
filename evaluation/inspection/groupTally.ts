import type { OctaveHistogram, UseContext } from './inspection.js';

/** Where the rows of a pass come from: the index of an image or a text (−1: every image; −2: does not count), and the place in it. */
export interface RowPlaces {
  /** [rows] */
  readonly items: Int32Array;
  /** [rows] */
  readonly positions: Int32Array;
  /** What each row has read, as a number; rows that have read the same are one context. All differ when absent. */
  readonly contents?: Int32Array;
  /** The patch that each row attends to most, [rows]. */
  readonly patches?: Int32Array;
}

/** What is kept of the uses of one group: numbers per parameter token, whatever the amount of data. */
export interface GroupTally {
  readonly numParamTokens: number;
  rows: number;
  /** Σ over rows of (Σ_i u_i)² / Σ_i u_i². */
  effectiveSum: number;
  readonly useSums: Float64Array;
  readonly weightSums: Float64Array;
  readonly squaredScoreSums: Float64Array;
  readonly largest: Float32Array;
  /** How many single uses lie in each octave; by the exponent bits of float32. */
  readonly octaves: Float64Array;
  /**
   * Counts the rows of a pass.
   *
   * @param uses [rows, numParamTokens]
   * @param sums over the rows that count, of use, |S| and A², [3, numParamTokens]
   */
  add(uses: Float32Array, sums: ArrayLike<number>, places: RowPlaces): void;
  /** The rows that used a parameter token most, at most one of an item and one of a content, the largest first. */
  contextsOf(token: number): UseContext[];
}

const EXPONENTS = 256;
const EXPONENT_BIAS = 127;

/** @param numContexts rows kept of each parameter token */
export function createGroupTally(numParamTokens: number, numContexts: number): GroupTally {
  const n = numParamTokens;
  const kept = {
    counts: new Uint16Array(n),
    uses: new Float32Array(n * numContexts),
    items: new Int32Array(n * numContexts),
    positions: new Int32Array(n * numContexts),
    contents: new Int32Array(n * numContexts),
    patches: new Int32Array(n * numContexts).fill(-1),
  };
  let hasPatches = false;
  /** A parameter token is not looked at closer for uses up to this. */
  const floors = new Float32Array(n);
  const keep = (token: number, use: number, row: number, { items, positions, contents, patches }: RowPlaces): void => {
    const first = token * numContexts;
    const item = items[row];
    const end = first + kept.counts[token];
    // The item's former row, if it is among those kept, makes room; else the last one does.
    let place = end;
    for (let at = first; at < end; at++) {
      if (contents !== undefined && kept.contents[at] === contents[row]) return;
      if (item >= 0 && kept.items[at] === item) place = at;
    }
    if (place < end && kept.uses[place] >= use) return;
    if (place === end && end - first < numContexts) kept.counts[token]++;
    else if (place === end) place--;
    for (; place > first && kept.uses[place - 1] < use; place--) {
      kept.uses[place] = kept.uses[place - 1];
      kept.items[place] = kept.items[place - 1];
      kept.positions[place] = kept.positions[place - 1];
      kept.contents[place] = kept.contents[place - 1];
      kept.patches[place] = kept.patches[place - 1];
    }
    kept.uses[place] = use;
    kept.items[place] = item;
    kept.positions[place] = positions[row];
    kept.contents[place] = contents?.[row] ?? 0;
    kept.patches[place] = patches?.[row] ?? -1;
    if (kept.counts[token] === numContexts) floors[token] = kept.uses[first + numContexts - 1];
  };
  const tally: GroupTally = {
    numParamTokens,
    rows: 0,
    effectiveSum: 0,
    useSums: new Float64Array(n),
    weightSums: new Float64Array(n),
    squaredScoreSums: new Float64Array(n),
    largest: new Float32Array(n),
    octaves: new Float64Array(EXPONENTS),
    add: (uses, sums, places) => {
      const bits = new Uint32Array(uses.buffer, uses.byteOffset, uses.length);
      const { largest, octaves } = tally;
      hasPatches ||= places.patches !== undefined;
      for (let row = 0; row < places.items.length; row++) {
        if (places.items[row] < -1) continue;
        let [sum, squares] = [0, 0];
        for (let i = 0, at = row * n; i < n; i++, at++) {
          const use = uses[at];
          sum += use;
          squares += use * use;
          octaves[(bits[at] >>> 23) & 0xff]++;
          if (use > largest[i]) largest[i] = use;
          if (use > floors[i]) keep(i, use, row, places);
        }
        tally.rows++;
        if (squares > 0) tally.effectiveSum += (sum * sum) / squares;
      }
      for (let i = 0; i < n; i++) {
        tally.useSums[i] += sums[i];
        tally.weightSums[i] += sums[n + i];
        tally.squaredScoreSums[i] += sums[2 * n + i];
      }
    },
    contextsOf: (token) =>
      Array.from({ length: kept.counts[token] }, (_, k): UseContext => {
        const at = token * numContexts + k;
        const context = [kept.items[at], kept.positions[at], rounded(kept.uses[at])] as const;
        return hasPatches ? [...context, kept.patches[at]] : context;
      }),
  };
  return tally;
}

/** Six significant digits: as much as float32 has. */
export function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

/** Counts by the exponent bits of float32, as octaves. */
export function octavesOf(counts: Float64Array): OctaveHistogram {
  const filled = [...counts.keys()].filter((exponent) => exponent > 0 && counts[exponent] > 0);
  if (filled.length === 0) return { zeros: counts[0], first: 0, counts: [] };
  const [low, high] = [filled[0], filled[filled.length - 1]];
  return { zeros: counts[0], first: low - EXPONENT_BIAS, counts: [...counts.subarray(low, high + 1)] };
}

/** How many values lie in each octave. */
export function octaveHistogram(values: readonly number[]): OctaveHistogram {
  const counts = new Float64Array(EXPONENTS);
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  for (const word of bits) counts[(word >>> 23) & 0xff]++;
  return octavesOf(counts);
}
