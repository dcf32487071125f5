import type { LayerName } from '#src/tokenformer';

/** Where a word's parameter tokens come from; bridges on text and on the image are told apart. */
export const GROUP_NAMES = ['vision', 'language', 'textBridge', 'imageBridge'] as const;
export type GroupName = (typeof GROUP_NAMES)[number];

/** One parameter token: its place in its group, from 0. */
export interface ParamTokenPlace {
  readonly block: number;
  readonly layer: LayerName;
  readonly group: GroupName;
  readonly token: number;
}

/** A parameter token with the share that a word drew of it, of all parameter tokens of the model. */
export interface TokenShare extends ParamTokenPlace {
  readonly share: number;
}

/** `count` parameter tokens of one group; ranges follow one another. */
export interface TokenRange extends Omit<ParamTokenPlace, 'token'> {
  readonly count: number;
}

/** A parameter token and the words that draw on it. */
export interface DrawnToken extends TokenShare {
  /** The words that draw on it most, all more than the mean; how much is a mean over the times the word was said. */
  readonly words: readonly { readonly word: string; readonly times: number; readonly share: number }[];
}

/** What words drew of every parameter token, summed over captions. */
export interface DrawTally {
  /** @param shares one for every parameter token of `ranges`, in their order; the ranges of a model are always the same */
  add(word: string, ranges: readonly TokenRange[], shares: Float32Array): void;
  /**
   * Of each group the `perGroup` tokens whose share tells words apart: those of the largest standard deviation between words,
   * √(Σ_w n_w (m_w − m)² / Σ_w n_w), m_w the mean share of a word said n_w times and m the mean over all. `share` is m.
   */
  tokens(perGroup: number): DrawnToken[];
}

/** Words said less often say little about what they draw on. */
export const FEWEST_OCCURRENCES = 3;

/** Words listed with a parameter token. */
const MOST_WORDS = 6;

export function createDrawTally(): DrawTally {
  let known: readonly TokenRange[] = [];
  const words = new Map<string, { times: number; sums: Float64Array }>();
  return {
    add: (word, ranges, shares) => {
      known = ranges;
      const entry = words.get(word) ?? { times: 0, sums: new Float64Array(shares.length) };
      entry.times += 1;
      for (let i = 0; i < shares.length; i++) entry.sums[i] += shares[i];
      words.set(word, entry);
    },
    tokens: (perGroup) => {
      const common = [...words].filter(([, { times }]) => times >= FEWEST_OCCURRENCES);
      const total = common.reduce((sum, [, { times }]) => sum + times, 0);
      if (total === 0) return [];
      const meanAt = (i: number): number => common.reduce((sum, [, { sums }]) => sum + sums[i], 0) / total;
      const spreadAt = (i: number, mean: number): number =>
        Math.sqrt(common.reduce((sum, [, { times, sums }]) => sum + times * (sums[i] / times - mean) ** 2, 0) / total);
      const places = known.flatMap(({ count, ...range }) =>
        Array.from({ length: count }, (_, token): ParamTokenPlace => ({ ...range, token })),
      );
      const spreads = places.map((place, i) => {
        const share = meanAt(i);
        return { i, place, share, spread: spreadAt(i, share) };
      });
      return GROUP_NAMES.flatMap((group) =>
        spreads
          .filter(({ place, spread }) => place.group === group && spread > 0)
          .sort((a, b) => b.spread - a.spread)
          .slice(0, perGroup)
          .map(({ i, place, share }) => ({
            ...place,
            share: rounded(share),
            words: common
              .map(([word, { times, sums }]) => ({ word, times, share: rounded(sums[i] / times) }))
              .filter((word) => word.share > share)
              .sort((a, b) => b.share - a.share)
              .slice(0, MOST_WORDS),
          })),
      );
    },
  };
}

/** The largest of `shares`, one for every parameter token of `ranges`; tokens that nothing was drawn of are left out. */
export function topTokens(ranges: readonly TokenRange[], shares: Float32Array, count: number): TokenShare[] {
  const top: { i: number; share: number }[] = [];
  for (const [i, share] of shares.entries()) {
    if (share <= (top.length < count ? 0 : top[count - 1].share)) continue;
    const place = top.findIndex((other) => other.share < share);
    top.splice(place < 0 ? top.length : place, 0, { i, share });
    top.length = Math.min(top.length, count);
  }
  return top.map(({ i, share }) => ({ ...placeOf(ranges, i), share: rounded(share) }));
}

function placeOf(ranges: readonly TokenRange[], index: number): ParamTokenPlace {
  let token = index;
  let r = 0;
  while (token >= ranges[r].count) token -= ranges[r++].count;
  const { count: _, ...place } = ranges[r];
  return { ...place, token };
}

/** A share of thousands of tokens is small: four significant digits. */
function rounded(share: number): number {
  return Number(share.toPrecision(4));
}
