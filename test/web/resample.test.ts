import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { createRandom } from '#src/random';
import { decodeImage, type Preprocessing } from '#vision';
import { square } from '../../web/page/preparePicture.js';

const background = [250, 240, 10] as [number, number, number];

/** A picture with edges, gradients and noise. */
function picture(width: number, height: number): Uint8Array {
  const random = createRandom(5, width, height);
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    const disc = (x / width - 0.4) ** 2 + (y / height - 0.6) ** 2 < 0.07 ? 120 : 0;
    return Math.round(20 + disc + (80 * x) / width + (channel * 20 * y) / height + 15 * random.uniform());
  });
}

/** Mean and largest difference of a page's picture from sharp's, in levels of 255. */
async function difference(
  [width, height]: readonly [number, number],
  size: number,
  resize: Preprocessing['resize'],
  isJpeg = false,
): Promise<{ mean: number; largest: number }> {
  const data = picture(width, height);
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const file = await (isJpeg ? image.jpeg({ quality: 95 }) : image.png()).toBuffer();
  const expected = await decodeImage(file, { imageSize: size, resize, background });
  const whole = { width, height, data: new Uint8ClampedArray(await sharp(file).raw().toBuffer()) };
  const found = square(whole, size, { resize, background, isJpeg });
  const differences = Array.from(found, (value, i) => Math.abs(value - expected[i]));
  return {
    mean: differences.reduce((sum, value) => sum + value, 0) / differences.length,
    largest: differences.reduce((most, value) => Math.max(most, value)),
  };
}

describe('the picture that a page prepares', () => {
  it.each([
    [[48, 48], 48, 'stretch', 0, 0],
    // Measured: means of 0.007 to 0.42.
    [[96, 96], 48, 'stretch', 0.5, 2],
    [[640, 480], 48, 'stretch', 0.5, 2],
    [[301, 517], 64, 'cover', 0.5, 2],
    [[301, 517], 64, 'contain', 0.5, 2],
    [[1001, 333], 224, 'stretch', 0.5, 2],
    [[20, 30], 48, 'stretch', 0.5, 2],
  ] as const)(
    'of %j pixels at %i by %s is that of Node but for levels of 255',
    async (from, size, resize, mean, largest) => {
      const found = await difference(from, size, resize);
      expect(found.mean).toBeLessThanOrEqual(mean);
      expect(found.largest).toBeLessThanOrEqual(largest);
    },
  );

  it.each([
    [[400, 300], 16],
    [[397, 303], 48],
    [[1203, 807], 224],
  ] as const)('of a JPEG of %j pixels at %i is that of Node, which reads it smaller', async (from, size) => {
    const found = await difference(from, size, 'stretch', true);
    // Measured: means of 0.15 to 0.3.
    expect(found.mean).toBeLessThanOrEqual(0.5);
    expect(found.largest).toBeLessThanOrEqual(3);
  });
});
