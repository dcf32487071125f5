/** @file A perceptual hash: what a picture keeps when it is drawn at another size or saved anew. */

const COLUMNS = 8;
const ROWS = 8;

/** How a picture looks from afar. */
export interface PictureLook {
  /** A bit for each place of 8 × 8: whether it is brighter than the one to its right. Two times 32 bits. */
  readonly edges: Uint32Array;
  /** RGB bytes [8, 8, 3]. */
  readonly thumbnail: Uint8Array;
  /** Means of the thumbnail's quarters, [2, 2, 3]. */
  readonly blocks: Float64Array;
}

/** Places of the thumbnail in one of its quarters. */
const PLACES = (ROWS * COLUMNS) / 4;

/** Differences in brightness that may come from the resampling alone. */
const FLAT = 2;

/** @param pixels RGB bytes [size, size, 3] */
export function lookOf(pixels: Uint8Array, size: number): PictureLook {
  const wide = shrunk(pixels, size, COLUMNS + 1);
  const edges = new Uint32Array(2);
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      const place = row * (COLUMNS + 1) + column;
      const bit = row * COLUMNS + column;
      if (brightness(wide, place) > brightness(wide, place + 1) + FLAT) edges[bit >> 5] |= 1 << (bit & 31);
    }
  }
  const thumbnail = Uint8Array.from(shrunk(pixels, size, COLUMNS), Math.round);
  const blocks = new Float64Array(12);
  for (const [i, value] of thumbnail.entries()) {
    const [row, column] = [Math.floor(i / (3 * COLUMNS)), Math.floor(i / 3) % COLUMNS];
    blocks[3 * (2 * Math.floor((2 * row) / ROWS) + Math.floor((2 * column) / COLUMNS)) + (i % 3)] += value / PLACES;
  }
  return { edges, thumbnail, blocks };
}

/** Means over areas, [8, columns, 3]. */
function shrunk(pixels: Uint8Array, size: number, columns: number): Float64Array {
  const means = new Float64Array(ROWS * columns * 3);
  const [down, across] = [shares(size, ROWS), shares(size, columns)];
  for (let y = 0; y < size; y++) {
    for (const [row, height] of down[y]) {
      for (let x = 0; x < size; x++) {
        for (const [column, width] of across[x]) {
          for (let channel = 0; channel < 3; channel++) {
            means[(row * columns + column) * 3 + channel] += height * width * pixels[(y * size + x) * 3 + channel];
          }
        }
      }
    }
  }
  return means;
}

/** For each pixel of a side the parts that it lies in, each with its share of the part. */
function shares(size: number, parts: number): (readonly [number, number])[][] {
  const side = size / parts;
  return Array.from({ length: size }, (_, pixel) => {
    const first = Math.floor(pixel / side);
    const last = Math.min(parts - 1, Math.ceil((pixel + 1) / side) - 1);
    return Array.from({ length: last - first + 1 }, (_, i) => {
      const part = first + i;
      const covered = Math.min(pixel + 1, (part + 1) * side) - Math.max(pixel, part * side);
      return [part, covered / side] as const;
    });
  });
}

/** Rec. 601. */
function brightness(means: Float64Array, place: number): number {
  return 0.299 * means[3 * place] + 0.587 * means[3 * place + 1] + 0.114 * means[3 * place + 2];
}

/** Edges in which near-duplicates may differ, of 64. */
const NEAR_EDGES = 6;

/** Mean difference of the thumbnails of near-duplicates at most, of 255. */
const NEAR_COLOUR = 6;

/** Whether two pictures are the same but for size, compression or a small detail. A change of a person's skin tone is more. */
export function isNear(a: PictureLook, b: PictureLook): boolean {
  const differing = bitsOf(a.edges[0] ^ b.edges[0]) + bitsOf(a.edges[1] ^ b.edges[1]);
  if (differing > NEAR_EDGES) return false;
  let sum = 0;
  for (let i = 0; i < a.thumbnail.length; i++) sum += Math.abs(a.thumbnail[i] - b.thumbnail[i]);
  return sum <= NEAR_COLOUR * a.thumbnail.length;
}

/** The number of ones among 32 bits. Source: Warren, Hacker's Delight, section 5-1. */
function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** For each look the number of the group of near-duplicates that it belongs to: the first member's place. */
export function nearGroups(looks: readonly PictureLook[]): Int32Array {
  const parent = Int32Array.from(looks, (_, i) => i);
  const rootOf = (place: number): number => {
    let root = place;
    while (parent[root] !== root) root = parent[root];
    parent[place] = root;
    return root;
  };
  for (let i = 1; i < looks.length; i++) {
    for (let j = 0; j < i; j++) {
      if (!isNear(looks[i], looks[j])) continue;
      const [a, b] = [rootOf(i), rootOf(j)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
  }
  return Int32Array.from(looks, (_, i) => rootOf(i));
}

/** The place of the candidate whose thumbnail is nearest (least squares); of equal ones the first. */
export function nearestLook({ thumbnail, blocks }: PictureLook, candidates: readonly PictureLook[]): number {
  let [nearest, least] = [0, Number.POSITIVE_INFINITY];
  for (let c = 0; c < candidates.length; c++) {
    const other = candidates[c];
    // The squares of the places of a block sum to no less than their number times the square of their mean.
    let bound = 0;
    for (let i = 0; i < blocks.length; i++) bound += PLACES * (blocks[i] - other.blocks[i]) ** 2;
    if (bound >= least) continue;
    let sum = 0;
    for (let i = 0; i < thumbnail.length && sum < least; i++) sum += (thumbnail[i] - other.thumbnail[i]) ** 2;
    if (sum < least) [nearest, least] = [c, sum];
  }
  return nearest;
}
