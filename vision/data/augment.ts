import { z } from 'zod';
import { ConfigError } from '#src/errors';
import type { Random } from '#src/random';
import type { LabelGrid } from './labelledImages.js';

/** Random changes to training images; each is off unless it is named. */
export const AugmentConfig = z.strictObject({
  horizontalFlip: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('probability of mirroring an image left to right, grid labels with it'),
  randomCrop: z
    .strictObject({ padding: z.int().positive().describe('largest shift each way in pixels, below imageSize') })
    .optional()
    .describe('shifts the image; border pixels fill what is uncovered; not for grid labels'),
  colorJitter: z
    .strictObject({
      brightness: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe('x: values are multiplied by a factor in [1 − x, 1 + x]'),
      contrast: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe('x: distances from mid-grey are multiplied by a factor in [1 − x, 1 + x]'),
    })
    .optional()
    .describe('random brightness, then contrast'),
});
export type AugmentConfig = z.output<typeof AugmentConfig>;

/** One draw of every random change. */
export interface Augmentation {
  readonly flip: boolean;
  /** Pixels by which the window on the image moves right and down. */
  readonly shiftX: number;
  readonly shiftY: number;
  readonly brightness: number;
  readonly contrast: number;
}

/** @throws ConfigError when an augmentation does not fit the images or would invalidate their labels */
export function checkAugment(augment: AugmentConfig, images: { imageSize: number; grid?: LabelGrid }): void {
  const { randomCrop } = augment;
  if (randomCrop === undefined) return;
  if (images.grid !== undefined) {
    throw new ConfigError('augment.randomCrop: a shifted image no longer matches its grid labels; remove it');
  }
  if (randomCrop.padding >= images.imageSize) {
    throw new ConfigError(
      `augment.randomCrop.padding: expected fewer pixels than imageSize ${images.imageSize}, got ${randomCrop.padding}`,
    );
  }
}

/** Samples the augmentations of one image. All are always sampled, so that toggling one does not change the others. */
export function drawAugmentation(augment: AugmentConfig, random: Random): Augmentation {
  const padding = augment.randomCrop?.padding ?? 0;
  const factor = (range: number): number => 1 + range * (2 * random.uniform() - 1);
  return {
    flip: random.uniform() < augment.horizontalFlip,
    shiftX: Math.floor(random.uniform() * (2 * padding + 1)) - padding,
    shiftY: Math.floor(random.uniform() * (2 * padding + 1)) - padding,
    brightness: factor(augment.colorJitter?.brightness ?? 0),
    contrast: factor(augment.colorJitter?.contrast ?? 0),
  };
}

/**
 * Converts bytes [imageSize, imageSize, 3] to floats in [-1, 1] (v / 127.5 - 1), applies `augmentation`, and writes the result
 * to `into` at `offset`.
 */
export function writePixelValues(
  bytes: Uint8Array,
  imageSize: number,
  into: Float32Array,
  offset: number,
  augmentation?: Augmentation,
): void {
  const values = augmentation === undefined ? PLAIN_VALUES : pixelTable(augmentation.brightness, augmentation.contrast);
  const { flip, shiftX, shiftY } = augmentation ?? { flip: false, shiftX: 0, shiftY: 0 };
  const last = imageSize - 1;
  let to = offset;
  for (let y = 0; y < imageSize; y++) {
    const rowStart = Math.min(Math.max(y + shiftY, 0), last) * imageSize * 3;
    if (!flip && shiftX === 0) {
      for (let from = rowStart; from < rowStart + imageSize * 3; from++) into[to++] = values[bytes[from]];
      continue;
    }
    for (let x = 0; x < imageSize; x++) {
      const shifted = Math.min(Math.max(x + shiftX, 0), last);
      const from = rowStart + (flip ? last - shifted : shifted) * 3;
      into[to] = values[bytes[from]];
      into[to + 1] = values[bytes[from + 1]];
      into[to + 2] = values[bytes[from + 2]];
      to += 3;
    }
  }
}

/** Mirrors labels [rows, cols, attributes] left to right. */
export function flipCells(cells: Int32Array, grid: LabelGrid): Int32Array {
  const { rows, cols } = grid;
  const perCell = grid.attributes.length;
  const flipped = new Int32Array(cells.length);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const from = (row * cols + col) * perCell;
      flipped.set(cells.subarray(from, from + perCell), (row * cols + cols - 1 - col) * perCell);
    }
  }
  return flipped;
}

/** The float of every byte value: p = v/255, p₁ = clip(brightness·p), p₂ = clip(½ + contrast·(p₁ - ½)), 2·p₂ - 1. */
function pixelTable(brightness: number, contrast: number): Float32Array {
  if (brightness === 1 && contrast === 1) return PLAIN_VALUES;
  const clip = (p: number): number => Math.min(Math.max(p, 0), 1);
  return Float32Array.from(
    { length: 256 },
    (_, v) => 2 * clip(0.5 + contrast * (clip((brightness * v) / 255) - 0.5)) - 1,
  );
}

const PLAIN_VALUES = Float32Array.from({ length: 256 }, (_, v) => v / 127.5 - 1);
