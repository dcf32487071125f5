import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockSizes, drawBlocks } from '../../../vision/objectives/targetBlocks.js';

describe('target blocks', () => {
  it('are as 3 to 2, of the share asked for', () => {
    expect(blockSizes(14, 4, 0.175)).toEqual({ side: 14, blocks: 4, long: 7, short: 5, contextPatches: 196 - 140 });
    expect(blockSizes(6, 4, 0.175)).toEqual({ side: 6, blocks: 4, long: 3, short: 2, contextPatches: 12 });
  });

  it('are whole blocks inside of the image, and no image sees a patch that it has to predict', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer(),
        (side, blocks, seed) => {
          const sizes = blockSizes(side, blocks, 0.15);
          const batch = 3;
          const { context, targets } = drawBlocks(sizes, batch, seed, 'a');
          const perBlock = sizes.long * sizes.short;
          for (let image = 0; image < batch; image++) {
            const seen = [...context.subarray(image * sizes.contextPatches, (image + 1) * sizes.contextPatches)];
            expect(new Set(seen).size).toBe(sizes.contextPatches);
            for (let block = 0; block < blocks; block++) {
              const start = (block * batch + image) * perBlock;
              const own = [...targets.subarray(start, start + perBlock)];
              const rows = new Set(own.map((patch) => Math.floor(patch / side)));
              const columns = new Set(own.map((patch) => patch % side));
              expect([rows.size, columns.size].sort()).toEqual([sizes.short, sizes.long].sort());
              expect(new Set(own).size).toBe(perBlock);
              expect(own.every((patch) => patch >= 0 && patch < side ** 2 && !seen.includes(patch))).toBe(true);
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are the same for the same seed and batch, and others otherwise', () => {
    const sizes = blockSizes(6, 4, 0.175);
    const first = drawBlocks(sizes, 8, 1, 'train/7');
    expect(drawBlocks(sizes, 8, 1, 'train/7')).toEqual(first);
    expect(drawBlocks(sizes, 8, 1, 'train/8')).not.toEqual(first);
    expect(drawBlocks(sizes, 8, 2, 'train/7')).not.toEqual(first);
  });
});
