import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodePng } from '#scenes';
import { createRandom } from '#src/random';

describe('encodePng', () => {
  it.each([
    [1, 1],
    [7, 3],
    [3, 200],
  ])('gives a PNG of %i x %i pixels that other readers read back', async (width, height) => {
    const random = createRandom(1, 'png', width);
    const pixels = Uint8Array.from({ length: width * height * 3 }, () => random.integer(256));
    const { data, info } = await sharp(encodePng(pixels, width, height), { failOn: 'warning' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width, height, channels: 3 });
    expect(new Uint8Array(data)).toEqual(pixels);
  });

  it('makes flat pictures small', () => {
    expect(encodePng(new Uint8Array(48 * 48 * 3).fill(70), 48, 48).length).toBeLessThan(300); // 152 bytes
  });
});
