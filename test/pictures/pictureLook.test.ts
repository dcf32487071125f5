import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { createRandom } from '#src/random';
import { isNear, lookOf, nearestLook, nearGroups, type PictureLook } from '../../pictures/pictureLook.js';

/** Some blocks of colour on white. */
function svg(seed: number, face = '#fadcbc'): string {
  const random = createRandom(seed, 'look');
  const block = (): string =>
    `<rect x="${random.integer(80)}" y="${random.integer(80)}" width="${10 + random.integer(40)}" height="${10 + random.integer(40)}" fill="hsl(${random.integer(360)},70%,50%)"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="100" height="100"><circle cx="50" cy="50" r="30" fill="${face}"/>${[1, 2, 3, 4, 5].map(block).join('')}</svg>`;
}

async function look(document: string, size = 64, quality?: number): Promise<PictureLook> {
  const image = sharp(Buffer.from(document)).resize(size, size).flatten({ background: '#ffffff' });
  const encoded = quality === undefined ? image.png() : image.jpeg({ quality });
  return lookOf(
    await sharp(await encoded.toBuffer())
      .removeAlpha()
      .raw()
      .toBuffer(),
    size,
  );
}

describe('isNear', () => {
  it('holds for a picture at another size or saved as a JPEG', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const one = await look(svg(seed));
      expect(isNear(one, await look(svg(seed), 48))).toBe(true);
      expect(isNear(one, await look(svg(seed), 64, 60))).toBe(true);
    }
  });

  it('does not hold for other pictures, nor for another skin tone', async () => {
    const looks = await Promise.all(Array.from({ length: 8 }, (_, seed) => look(svg(seed))));
    for (const [i, one] of looks.entries()) {
      for (const other of looks.slice(i + 1)) expect(isNear(one, other)).toBe(false);
      expect(isNear(one, await look(svg(i, '#594539')))).toBe(false);
    }
  });
});

describe('nearGroups', () => {
  it('gives pictures that look alike the number of the first of them', async () => {
    const [a, b, small] = await Promise.all([look(svg(1)), look(svg(2)), look(svg(1), 40)]);
    expect([...nearGroups([b, a, small, b])]).toEqual([0, 1, 1, 0]);
  });
});

describe('nearestLook', () => {
  it('finds the picture itself among others, and the first of equal ones', async () => {
    const looks = await Promise.all([1, 2, 3, 4].map((seed) => look(svg(seed))));
    const small = await Promise.all([4, 2].map((seed) => look(svg(seed), 48)));
    expect(small.map((one) => nearestLook(one, [...looks, looks[3]]))).toEqual([3, 1]);
  });

  it('is the one of least squares, however it prunes', () => {
    const random = createRandom(1, 'thumbnails');
    const noise = (): PictureLook =>
      lookOf(
        Uint8Array.from({ length: 3 * 64 }, () => random.integer(256)),
        8,
      );
    const candidates = Array.from({ length: 300 }, noise);
    for (const query of Array.from({ length: 40 }, noise)) {
      const squares = candidates.map(({ thumbnail }) =>
        thumbnail.reduce((sum, value, i) => sum + (value - query.thumbnail[i]) ** 2, 0),
      );
      expect(nearestLook(query, candidates)).toBe(squares.indexOf(Math.min(...squares)));
    }
  });
});
