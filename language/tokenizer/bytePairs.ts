/** @file The byte pairs of a vocabulary and how they merge in a word, in time n log n for n bytes. */

/** Tokens by id; each is a string of one character (U+0000 to U+00FF) per byte. Ids without a token are holes. */
export type TokenSpellings = readonly (string | undefined)[];

/** Byte-pair encoding of single words. */
export interface BytePairs {
  /** The id of a word that is one token. */
  idOf(spelling: string): number | undefined;
  /** The ids of a word: from its bytes on, the pair whose token has the lowest id is merged first, the leftmost among equals. */
  merge(bytes: Uint8Array): Int32Array;
}

/** How many pairs of ids are remembered with the token they merge to. */
const MAX_PAIRS = 1 << 18;
const NONE = -1;

/** @param tokens each of the 256 bytes among them */
export function createBytePairs(tokens: TokenSpellings): BytePairs {
  const ids = new Map<string, number>();
  for (const [id, spelling] of tokens.entries()) if (spelling !== undefined) ids.set(spelling, id);
  const idOfByte = Int32Array.from({ length: 256 }, (_, byte) => ids.get(String.fromCharCode(byte)) ?? NONE);
  const merged = new Map<number, number>();

  const mergedId = (left: number, right: number): number => {
    const key = left * 2 ** 24 + right;
    const known = merged.get(key);
    if (known !== undefined) return known;
    const id = ids.get((tokens[left] as string) + (tokens[right] as string)) ?? NONE;
    if (merged.size >= MAX_PAIRS) merged.clear();
    merged.set(key, id);
    return id;
  };

  return {
    idOf: (spelling) => ids.get(spelling),
    merge: (bytes) => mergeBytes(bytes, idOfByte, mergedId),
  };
}

/**
 * @param idOfByte [256]
 * @param mergedId the id of the token that two tokens make, negative for none
 */
function mergeBytes(
  bytes: Uint8Array,
  idOfByte: Int32Array,
  mergedId: (left: number, right: number) => number,
): Int32Array {
  const count = bytes.length;
  const ids = Int32Array.from(bytes, (byte) => idOfByte[byte]); // [count]; at the first byte of each part
  const next = Int32Array.from({ length: count }, (_, i) => i + 1); // [count]
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1); // [count]
  const queue = createQueue(count);
  const offer = (left: number): void => {
    const right = next[left];
    if (right >= count) return;
    const id = mergedId(ids[left], ids[right]);
    if (id >= 0) queue.push(id, left);
  };
  for (let i = 0; i + 1 < count; i++) offer(i);

  let parts = count;
  for (let left = queue.pop(); left !== undefined; left = queue.pop()) {
    const right = next[left];
    // Entries of pairs that have gone since are passed over: the part is no more, or its pair makes another token now.
    if (ids[left] < 0 || right >= count || mergedId(ids[left], ids[right]) !== queue.poppedId()) continue;
    ids[left] = queue.poppedId();
    ids[right] = NONE;
    next[left] = next[right];
    if (next[right] < count) previous[next[right]] = left;
    parts--;
    if (previous[left] >= 0) offer(previous[left]);
    offer(left);
  }
  const result = new Int32Array(parts);
  for (let i = 0, part = 0; i < count; i = next[i]) result[part++] = ids[i];
  return result;
}

/** A binary heap of pairs; the lowest id first, then the leftmost. */
interface Queue {
  push(id: number, position: number): void;
  /** The position of the first entry, which is removed. */
  pop(): number | undefined;
  /** The id of the entry that was removed last. */
  poppedId(): number;
}

function createQueue(capacity: number): Queue {
  // One number an entry: exact for ids below 2^21 in words of less than 2^31 bytes.
  let heap = new Float64Array(capacity);
  let size = 0;
  let popped = 0;
  return {
    push: (id, position) => {
      if (size === heap.length) {
        const larger = new Float64Array(2 * size);
        larger.set(heap);
        heap = larger;
      }
      const entry = id * 2 ** 31 + position;
      let i = size++;
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (heap[parent] <= entry) break;
        heap[i] = heap[parent];
        i = parent;
      }
      heap[i] = entry;
    },
    pop: () => {
      if (size === 0) return undefined;
      const first = heap[0];
      const last = heap[--size];
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= size) break;
        if (child + 1 < size && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
      popped = Math.floor(first / 2 ** 31);
      return first % 2 ** 31;
    },
    poppedId: () => popped,
  };
}
