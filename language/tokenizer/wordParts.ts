import { pairKey } from './pairQueue.js';

/** The distinct words of a text as lists of parts, at first their bytes, in which pairs of neighbours are merged. */
export interface WordParts {
  /** How often each pair of neighbours occurs in the text, by `pairKey`. */
  pairs(): ReadonlyMap<number, number>;
  /**
   * Replaces `left, right` by `merged` everywhere, from left to right; takes time in the number of places, however long the
   * words are.
   *
   * @returns by how much the count of each pair has changed, by `pairKey`
   */
  merge(left: number, right: number, merged: number): ReadonlyMap<number, number>;
}

const NONE = -1;

/** @param wordCounts the words and how often each occurs */
export function createWordParts(wordCounts: ReadonlyMap<string, number>): WordParts {
  let numParts = 0;
  for (const word of wordCounts.keys()) numParts += Buffer.byteLength(word);
  // All words one after another; a part stands where its first byte stood.
  const ids = new Int32Array(numParts);
  const next = new Int32Array(numParts); // NONE at the end of a word
  const previous = new Int32Array(numParts); // NONE at its beginning
  const frequencies = new Float64Array(numParts); // of the part's word
  const places = new Map<number, number[]>(); // of the left part of each pair; some of them outdated

  let end = 0;
  for (const [word, frequency] of wordCounts) {
    const start = end;
    for (const byte of Buffer.from(word)) ids[end++] = byte;
    frequencies.fill(frequency, start, end);
    for (let i = start; i < end; i++) {
      previous[i] = i === start ? NONE : i - 1;
      next[i] = i + 1 === end ? NONE : i + 1;
    }
  }

  const count = (left: number, right: number, sign: 1 | -1, changes: Map<number, number>): void => {
    if (left === NONE || right === NONE) return;
    const key = pairKey(ids[left], ids[right]);
    changes.set(key, (changes.get(key) ?? 0) + sign * frequencies[left]);
    if (sign === -1) return;
    const known = places.get(key);
    if (known === undefined) places.set(key, [left]);
    else known.push(left);
  };

  return {
    pairs: () => {
      const counts = new Map<number, number>();
      for (let i = 0; i < numParts; i++) count(i, next[i], 1, counts);
      return counts;
    },
    merge: (left, right, merged) => {
      const changes = new Map<number, number>();
      const key = pairKey(left, right);
      const found = places.get(key) ?? [];
      places.delete(key);
      // Only in a run of one part do pairs overlap, and the order in which they merge matters.
      if (left === right) found.sort((a, b) => a - b);
      for (const place of found) {
        const second = next[place];
        if (ids[place] !== left || second === NONE || ids[second] !== right) continue;
        const [before, after] = [previous[place], next[second]];
        count(before, place, -1, changes);
        count(place, second, -1, changes);
        count(second, after, -1, changes);
        ids[place] = merged;
        ids[second] = NONE;
        next[place] = after;
        if (after !== NONE) previous[after] = place;
        count(before, place, 1, changes);
        count(place, after, 1, changes);
      }
      return changes;
    },
  };
}
