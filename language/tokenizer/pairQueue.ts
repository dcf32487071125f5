/** A pair of tokens packed into one number, ordered by left id, then right id; exact for ids below 2^24. */
export function pairKey(left: number, right: number): number {
  return left * 2 ** 24 + right;
}

/** The ids of a `pairKey`. */
export function pairOfKey(key: number): [left: number, right: number] {
  const right = key % 2 ** 24;
  return [(key - right) / 2 ** 24, right];
}

/** Pairs by frequency; ties by the lowest ids. */
export interface PairQueue {
  push(key: number, count: number): void;
  pop(): { key: number; count: number } | undefined;
}

/** A binary heap of (pair, count) entries; a pair can occur with several counts, and the caller drops stale entries. */
export function createPairQueue(): PairQueue {
  const keys: number[] = [];
  const counts: number[] = [];
  const before = (i: number, j: number): boolean =>
    counts[i] > counts[j] || (counts[i] === counts[j] && keys[i] < keys[j]);
  const swap = (i: number, j: number): void => {
    [keys[i], keys[j]] = [keys[j], keys[i]];
    [counts[i], counts[j]] = [counts[j], counts[i]];
  };
  return {
    push: (key, count) => {
      let i = keys.push(key) - 1;
      counts.push(count);
      for (let parent = (i - 1) >> 1; i > 0 && before(i, parent); parent = (i - 1) >> 1) {
        swap(i, parent);
        i = parent;
      }
    },
    pop: () => {
      if (keys.length === 0) return undefined;
      swap(0, keys.length - 1);
      const top = { key: keys.pop() as number, count: counts.pop() as number };
      for (let i = 0; ; ) {
        let first = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (child < keys.length && before(child, first)) first = child;
        if (first === i) return top;
        swap(i, first);
        i = first;
      }
    },
  };
}
