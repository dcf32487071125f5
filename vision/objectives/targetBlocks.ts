import { createRandom } from '#src/random';

/** Longer side of a block over its shorter one; the paper draws between 3:4 and 3:2. */
const ASPECT = 1.5;

/** How blocks of an image's patches are hidden, the same for all images. */
export interface BlockSizes {
  /** Patches to a side of the image. */
  readonly side: number;
  readonly blocks: number;
  /** Sides of a block in patches. */
  readonly long: number;
  readonly short: number;
  /** Patches that the backbone sees: what is left when no two blocks overlap, so that all images have as many. */
  readonly contextPatches: number;
}

/** @param share of the patches in one block */
export function blockSizes(side: number, blocks: number, share: number): BlockSizes {
  const area = side ** 2 * share;
  const within = (length: number): number => Math.min(side, Math.max(1, Math.round(length)));
  const [long, short] = [within(Math.sqrt(area * ASPECT)), within(Math.sqrt(area / ASPECT))];
  return { side, blocks, long, short, contextPatches: side ** 2 - blocks * long * short };
}

/** Which patches of each image are seen and which are to be predicted. */
export interface DrawnBlocks {
  /** [batch · contextPatches], image by image. */
  readonly context: Int32Array;
  /** [blocks · batch · long · short]: the first block of every image, then the second. */
  readonly targets: Int32Array;
}

/**
 * Draws target blocks, upright or lying, anywhere in the image; they may overlap. The context is of the patches outside of them the ones
 * that are nearest to a random point, so that it is a block with holes.
 *
 * @param stream names the random stream
 */
export function drawBlocks(sizes: BlockSizes, batch: number, seed: number, stream: string): DrawnBlocks {
  const { side, blocks, long, short, contextPatches } = sizes;
  const random = createRandom(seed, 'blocks', stream);
  const context = new Int32Array(batch * contextPatches);
  const targets = new Int32Array(blocks * batch * long * short);
  for (let image = 0; image < batch; image++) {
    const hidden = new Set<number>();
    for (let block = 0; block < blocks; block++) {
      const [rows, columns] = random.uniform() < 0.5 ? [long, short] : [short, long];
      const [top, left] = [random.integer(side - rows + 1), random.integer(side - columns + 1)];
      let at = (block * batch + image) * long * short;
      for (let row = top; row < top + rows; row++) {
        for (let column = left; column < left + columns; column++) {
          hidden.add(row * side + column);
          targets[at++] = row * side + column;
        }
      }
    }
    const [y, x] = [random.uniform() * side, random.uniform() * side];
    const distance = (patch: number): number =>
      Math.max(Math.abs(Math.floor(patch / side) + 0.5 - y), Math.abs((patch % side) + 0.5 - x));
    const seen = Array.from({ length: side ** 2 }, (_, patch) => patch)
      .filter((patch) => !hidden.has(patch))
      .sort((a, b) => distance(a) - distance(b))
      .slice(0, contextPatches);
    context.set(seen, image * contextPatches);
  }
  return { context, targets };
}
