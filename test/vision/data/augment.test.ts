import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#src/errors';
import { createRandom } from '#src/random';
import { type Augmentation, drawAugmentation, flipCells, writePixelValues } from '../../../vision/data/augment.js';
import { AugmentConfig, checkAugment } from '../../../vision/data/index.js';

const SIZE = 3;
const NONE: Augmentation = { flip: false, shiftX: 0, shiftY: 0, brightness: 1, contrast: 1 };
/** The red channel as rows, scaled back to 0..255. */
function redRows(augmentation?: Augmentation): number[][] {
  const bytes = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => (i % 3 === 0 ? 10 * (i / 3 + 1) : 0));
  const out = new Float32Array(bytes.length + 2);
  writePixelValues(bytes, SIZE, out, 2, augmentation);
  return [0, 1, 2].map((y) => [0, 1, 2].map((x) => Math.round((out[2 + (y * SIZE + x) * 3] + 1) * 127.5)));
}
const grid = (rows: number, cols: number, attributes: number) => ({
  rows,
  cols,
  attributes: Array.from({ length: attributes }, (_, i) => ({ name: `a${i}`, values: ['x', 'y'] })),
});

describe('writePixelValues', () => {
  it('maps bytes to [-1, 1]', () => {
    const out = new Float32Array(3);
    writePixelValues(Uint8Array.of(0, 51, 255), 1, out, 0);
    expect([...out]).toEqual([-1, Math.fround(51 / 127.5 - 1), 1]);
  });

  it('mirrors left to right', () => {
    expect(redRows({ ...NONE, flip: true })).toEqual([
      [30, 20, 10],
      [60, 50, 40],
      [90, 80, 70],
    ]);
  });

  it('shifts the window and repeats the border', () => {
    expect(redRows({ ...NONE, shiftX: 1, shiftY: -1 })).toEqual([
      [20, 30, 30],
      [20, 30, 30],
      [50, 60, 60],
    ]);
    expect(redRows({ ...NONE, flip: true, shiftX: 1 })[0]).toEqual([20, 10, 10]);
  });

  it('scales brightness, then contrast about mid-grey, and clips', () => {
    const value = (byte: number, brightness: number, contrast: number): number => {
      const out = new Float32Array(3);
      writePixelValues(Uint8Array.of(byte, byte, byte), 1, out, 0, { ...NONE, brightness, contrast });
      return out[0];
    };
    expect(value(51, 1.5, 1)).toBeCloseTo(2 * 0.3 - 1, 6);
    expect(value(204, 1.5, 1)).toBe(1);
    expect(value(204, 1, 0.5)).toBeCloseTo(2 * 0.65 - 1, 6);
    expect(value(204, 1, 0)).toBe(0);
  });

  it('gives the plain values when every change is neutral', () => {
    expect(redRows(NONE)).toEqual(redRows());
  });
});

describe('flipCells', () => {
  it('mirrors cells with all their attributes', () => {
    expect([...flipCells(Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), grid(2, 3, 2))]).toEqual([
      5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8,
    ]);
  });

  it('is undone by itself', () => {
    const dimension = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(dimension, dimension, dimension, fc.integer(), (rows, cols, attributes, seed) => {
        const random = createRandom(seed, 'cells');
        const cells = Int32Array.from({ length: rows * cols * attributes }, () => random.integer(100));
        const layout = grid(rows, cols, attributes);
        expect(flipCells(flipCells(cells, layout), layout)).toEqual(cells);
      }),
    );
  });
});

describe('drawAugmentation', () => {
  it('stays within the configured ranges', () => {
    const config = AugmentConfig.parse({
      horizontalFlip: 0.5,
      randomCrop: { padding: 2 },
      colorJitter: { brightness: 0.3, contrast: 0.1 },
    });
    const draws = Array.from({ length: 2000 }, (_, i) => drawAugmentation(config, createRandom(7, i)));
    expect(new Set(draws.map((d) => d.shiftX))).toEqual(new Set([-2, -1, 0, 1, 2]));
    expect(new Set(draws.map((d) => d.shiftY))).toEqual(new Set([-2, -1, 0, 1, 2]));
    expect(draws.every((d) => d.brightness >= 0.7 && d.brightness <= 1.3)).toBe(true);
    expect(draws.every((d) => d.contrast >= 0.9 && d.contrast <= 1.1)).toBe(true);
    expect(draws.filter((d) => d.flip).length / 2000).toBeCloseTo(0.5, 1);
  });

  it('is off by default, and draws the flip alike whatever else is on', () => {
    expect(drawAugmentation(AugmentConfig.parse({}), createRandom(1))).toEqual(NONE);
    const flips = (config: unknown): boolean[] =>
      Array.from({ length: 50 }, (_, i) => drawAugmentation(AugmentConfig.parse(config), createRandom(1, i)).flip);
    expect(flips({ horizontalFlip: 0.5, randomCrop: { padding: 3 } })).toEqual(flips({ horizontalFlip: 0.5 }));
  });
});

describe('AugmentConfig', () => {
  it('refuses unknown keys and values out of range', () => {
    expect(AugmentConfig.safeParse({ horizontalflip: 0.5 }).success).toBe(false);
    expect(AugmentConfig.safeParse({ horizontalFlip: 1.5 }).success).toBe(false);
    expect(AugmentConfig.safeParse({ randomCrop: { padding: 0 } }).success).toBe(false);
  });

  it('refuses a crop of images with grid labels, or one wider than the image', () => {
    const crop = AugmentConfig.parse({ randomCrop: { padding: 4 } });
    expect(() => checkAugment(crop, { imageSize: 32, grid: grid(2, 2, 1) })).toThrow(ConfigError);
    expect(() => checkAugment(crop, { imageSize: 4 })).toThrow(
      /padding: expected fewer pixels than imageSize 4, got 4/,
    );
    expect(() => checkAugment(crop, { imageSize: 32 })).not.toThrow();
    expect(() =>
      checkAugment(AugmentConfig.parse({ horizontalFlip: 1 }), { imageSize: 4, grid: grid(1, 1, 1) }),
    ).not.toThrow();
  });
});
