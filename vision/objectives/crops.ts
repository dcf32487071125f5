import { createRandom } from '#src/random';
import { bilinearSamples } from './bilinear.js';

/** Aspect ratios of crops are between 3 to 4 and 4 to 3. */
const MAX_ASPECT = 4 / 3;

/** A rectangle of an image as shares of its sides. */
export interface CropBox {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Draws random resized crops, uniform in area.
 *
 * @param count of crops, in the order that they are drawn in
 * @param areas least and largest share of the image's area
 * @param stream names the random stream
 */
export function drawCrops(
  count: number,
  [least, most]: readonly [number, number],
  seed: number,
  ...stream: readonly string[]
): CropBox[] {
  const random = createRandom(seed, 'crops', ...stream);
  return Array.from({ length: count }, () => {
    const area = least + (most - least) * random.uniform();
    const aspect = MAX_ASPECT ** (2 * random.uniform() - 1);
    const [height, width] = [Math.min(1, Math.sqrt(area / aspect)), Math.min(1, Math.sqrt(area * aspect))];
    return { top: random.uniform() * (1 - height), left: random.uniform() * (1 - width), height, width };
  });
}

/**
 * Crops of images, resized bilinearly; samples are taken at the centres of pixels.
 *
 * @param pixels [batch, from, from, 3]
 * @param boxes crop by crop: the first of every image, then the second
 * @param from side of an image in pixels
 * @param to side of a crop
 * @returns [boxes, to, to, 3]
 */
export function cropImages(pixels: Float32Array, boxes: readonly CropBox[], from: number, to: number): Float32Array {
  const batch = pixels.length / (from * from * 3);
  const cropped = new Float32Array(boxes.length * to * to * 3);
  let at = 0;
  for (const [i, { top, left, height, width }] of boxes.entries()) {
    const image = (i % batch) * from * from * 3;
    const rows = bilinearSamples(top, height, from, to);
    const columns = bilinearSamples(left, width, from, to);
    for (const y of rows) {
      const [above, below] = [image + y.first * from * 3, image + y.second * from * 3];
      for (const x of columns) {
        const [l, r] = [x.first * 3, x.second * 3];
        for (let channel = 0; channel < 3; channel++) {
          const upper = pixels[above + l + channel] * (1 - x.share) + pixels[above + r + channel] * x.share;
          const lower = pixels[below + l + channel] * (1 - x.share) + pixels[below + r + channel] * x.share;
          cropped[at++] = upper * (1 - y.share) + lower * y.share;
        }
      }
    }
  }
  return cropped;
}
