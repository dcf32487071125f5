import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cropImages, drawCrops } from '../../../vision/objectives/crops.js';

/** Images whose channels are row, column and number of the image. */
function ramps(batch: number, side: number): Float32Array {
  const pixels = Array.from({ length: batch }, (_, image) =>
    Array.from({ length: side * side }, (_pixel, i) => [Math.floor(i / side), i % side, image]),
  );
  return Float32Array.from(pixels.flat(2));
}

const whole = { top: 0, left: 0, height: 1, width: 1 };

describe('a crop', () => {
  it('of everything at the same size is the image', () => {
    expect([...cropImages(ramps(2, 5), [whole, whole], 5, 5)]).toEqual([...ramps(2, 5)]);
  });

  it('is resized bilinearly, of the image that it is of', () => {
    // Rows 1 and 2 of columns 2 and 3, twice as large; the second crop of image 1.
    const boxes = [whole, whole, whole, { top: 0.25, left: 0.5, height: 0.5, width: 0.5 }];
    const crop = cropImages(ramps(2, 4), boxes, 4, 4).slice(3 * 4 * 4 * 3);
    const channel = (c: number): number[] => [...crop].filter((_, i) => i % 3 === c);
    expect(channel(0).filter((_, i) => i % 4 === 0)).toEqual([0.75, 1.25, 1.75, 2.25]);
    // A column beyond the centre of the last one is the last one.
    expect(channel(1).slice(0, 4)).toEqual([1.75, 2.25, 2.75, 3]);
    expect(new Set(channel(2))).toEqual(new Set([1]));
  });

  it('lies in the image, and has the area that it was drawn with unless a side would be longer than the image', () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0.05, max: 0.7, noNaN: true }), (seed, share) => {
        for (const { top, left, height, width } of drawCrops(20, [share, share], seed, 'a')) {
          expect(Math.min(top, left)).toBeGreaterThanOrEqual(0);
          expect(Math.max(top + height, left + width)).toBeLessThanOrEqual(1 + 1e-12);
          expect(width / height).toBeLessThan(4 / 3 + 1e-9);
          expect(height / width).toBeLessThan(4 / 3 + 1e-9);
          if (Math.max(height, width) < 1) expect(height * width).toBeCloseTo(share, 9);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('is the same for the same seed and batch, and another one otherwise', () => {
    const first = drawCrops(4, [0.2, 0.4], 1, 'local', 'train/7');
    expect(drawCrops(4, [0.2, 0.4], 1, 'local', 'train/7')).toEqual(first);
    expect(drawCrops(4, [0.2, 0.4], 1, 'local', 'train/8')).not.toEqual(first);
    expect(drawCrops(4, [0.2, 0.4], 2, 'local', 'train/7')).not.toEqual(first);
  });
});
