/** @file Pictures as libvips makes them smaller and larger, which prepares those that models learn from. */

/** RGB bytes, [height, width, 3]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Half the width of a Lanczos kernel. */
const LOBES = 3;

/** A box makes a picture smaller as long as this factor is left to the kernel. */
const LEFT_TO_KERNEL = 2;

/**
 * A picture of another size: along either axis first means of whole boxes of pixels, then a Lanczos kernel; a Catmull-Rom spline where it
 * becomes larger, shifted by half an output pixel (https://github.com/libvips/libvips/issues/943).
 *
 * @param factors input pixels to an output pixel, across and down; what they leave over is cut off on both sides
 */
export function resample(
  picture: Picture,
  [width, height]: readonly [number, number],
  [across, down]: readonly [number, number],
): Picture {
  const rows = alongRows(transposed(picture), height, down);
  return alongRows(transposed(rows), width, across);
}

/**
 * Means of squares of `count` × `count` pixels; what is left over on the right and below is dropped. So libvips reads a JPEG at a part of
 * its size, before it is turned: for one that has both a rest and a turn, this is not quite the same.
 */
export function shrink(picture: Picture, count: number): Picture {
  return transposed(boxMeans(transposed(boxMeans(picture, count, Math.floor)), count, Math.floor));
}

/** Changes the width. */
function alongRows(picture: Picture, width: number, factor: number): Picture {
  if (picture.width === width && factor === 1) return picture;
  const boxes = Math.max(1, Math.floor(picture.width / width / LEFT_TO_KERNEL));
  const shrunk = boxes > 1 ? boxMeans(picture, boxes, Math.ceil) : picture;
  const weights = factor > 1 ? lanczos(factor / boxes, picture.width / boxes, width) : cubic(factor, width);
  const data = new Uint8ClampedArray(shrunk.height * width * 3);
  for (let y = 0; y < shrunk.height; y++) {
    const from = y * shrunk.width * 3;
    for (const [x, { first, taps }] of weights.entries()) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let i = 0; i < taps.length; i++) {
          const place = Math.max(0, Math.min(shrunk.width - 1, first + i));
          sum += taps[i] * shrunk.data[from + place * 3 + channel];
        }
        data[(y * width + x) * 3 + channel] = sum;
      }
    }
  }
  return { width, height: shrunk.height, data };
}

/** Means of `count` neighbours in a row. @param round whether a last box that is not full is left out, or repeats the last pixel */
function boxMeans({ width, height, data }: Picture, count: number, round: (boxes: number) => number): Picture {
  const out = round(width / count);
  const means = new Uint8ClampedArray(out * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < out; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let i = 0; i < count; i++) sum += data[(y * width + Math.min(width - 1, x * count + i)) * 3 + channel];
        means[(y * out + x) * 3 + channel] = sum / count;
      }
    }
  }
  return { width: out, height, data: means };
}

interface Taps {
  /** Place of the first tap; places outside a row are its nearest pixel. */
  readonly first: number;
  readonly taps: readonly number[];
}

function lanczos(factor: number, exactWidth: number, out: number): Taps[] {
  const margin = (exactWidth - out * factor) / 2;
  return Array.from({ length: out }, (_, x) => {
    const centre = margin + (x + 0.5) * factor - 0.5;
    const first = Math.ceil(centre - LOBES * factor);
    const count = Math.floor(centre + LOBES * factor) - first + 1;
    return { first, taps: normalised(Array.from({ length: count }, (_, i) => kernel((first + i - centre) / factor))) };
  });
}

function kernel(x: number): number {
  if (x === 0) return 1;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}

function cubic(factor: number, out: number): Taps[] {
  return Array.from({ length: out }, (_, x) => {
    const place = x * factor - 0.5;
    const first = Math.floor(place) - 1;
    const t = place - first - 1;
    const taps = [
      ((-t + 2) * t - 1) * t * 0.5,
      ((3 * t - 5) * t * t + 2) * 0.5,
      ((-3 * t + 4) * t + 1) * t * 0.5,
      (t - 1) * t * t * 0.5,
    ];
    return { first, taps };
  });
}

function normalised(taps: readonly number[]): number[] {
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

function transposed({ width, height, data }: Picture): Picture {
  const out = new Uint8ClampedArray(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) {
        out[(x * height + y) * 3 + channel] = data[(y * width + x) * 3 + channel];
      }
    }
  }
  return { width: height, height: width, data: out };
}
