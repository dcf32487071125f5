import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type DecodeSettings, decodeImage } from '../../../vision/data/index.js';
import { temporaryFolder, writeImage, writePixels } from './sampleImages.js';

const RED = [255, 0, 0];
const BLUE = [0, 0, 255];
const WHITE = [255, 255, 255];

const folder = temporaryFolder();
const decode = async (path: string, settings: Partial<DecodeSettings> = {}): Promise<number[]> => [
  ...(await decodeImage(readFileSync(path), {
    imageSize: 2,
    resize: 'stretch',
    background: [255, 255, 255],
    ...settings,
  })),
];
const pixel = (bytes: number[], index: number): number[] => bytes.slice(index * 3, index * 3 + 3);

describe('decodeImage', () => {
  it('keeps the pixels of an RGB image that has the asked size', async () => {
    const bytes = [...RED, ...BLUE, ...WHITE, 10, 20, 30];
    expect(await decode(await writePixels(join(folder, 'rgb.png'), 2, 2, bytes))).toEqual(bytes);
  });

  it('lays transparent pixels on the background', async () => {
    const path = await writePixels(join(folder, 'rgba.png'), 2, 2, [...RED, 255, ...BLUE, 0, ...RED, 255, ...BLUE, 0]);
    const onWhite = await decode(path);
    expect([pixel(onWhite, 0), pixel(onWhite, 1)]).toEqual([RED, WHITE]);
    const onGreen = await decode(path, { background: [0, 200, 0] });
    expect([pixel(onGreen, 0), pixel(onGreen, 1)]).toEqual([RED, [0, 200, 0]]);
  });

  it('repeats grey levels over three channels, with and without alpha, at 8 and 16 bits', async () => {
    const grey = await writePixels(join(folder, 'grey.png'), 2, 2, [0, 200, 0, 0]);
    expect(pixel(await decode(grey), 1)).toEqual([200, 200, 200]);
    const greyAlpha = await writePixels(join(folder, 'greyAlpha.png'), 2, 2, [77, 255, 0, 0, 0, 0, 0, 0]);
    const bytes = await decode(greyAlpha);
    expect([pixel(bytes, 0), pixel(bytes, 1)]).toEqual([[77, 77, 77], WHITE]);
    const deep = join(folder, 'deep.png');
    await sharp(Uint16Array.of(0, 65535, 0, 65535), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toFile(deep);
    const levels = await decode(deep);
    expect([pixel(levels, 0), pixel(levels, 1)]).toEqual([[0, 0, 0], WHITE]);
  });

  it('turns an image upright by its EXIF orientation', async () => {
    const path = join(folder, 'turned.png');
    // Stored left red, right blue; orientation 6 says that the stored left column is the top of the picture.
    await sharp(Uint8Array.from([...RED, ...BLUE, ...RED, ...BLUE]), { raw: { width: 2, height: 2, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toFile(path);
    const bytes = await decode(path);
    expect([0, 1, 2, 3].map((i) => pixel(bytes, i))).toEqual([RED, RED, BLUE, BLUE]);
  });

  it('stretches, covers or contains an image that is not square', async () => {
    const path = await writePixels(
      join(folder, 'wide.png'),
      8,
      4,
      Array(4)
        .fill([...RED, ...RED, ...BLUE, ...BLUE, ...BLUE, ...BLUE, ...RED, ...RED])
        .flat(),
    );
    const settings = { imageSize: 4, background: [9, 9, 9] as const };
    const column = async (resize: DecodeSettings['resize'], x: number): Promise<number[][]> => {
      const bytes = await decode(path, { ...settings, background: [9, 9, 9], resize });
      return [0, 1, 2, 3].map((y) => pixel(bytes, y * 4 + x));
    };
    // cover keeps the blue middle, contain has bars of background above and below.
    expect(await column('cover', 0)).toEqual([BLUE, BLUE, BLUE, BLUE]);
    const contained = await column('contain', 0);
    expect([contained[0], contained[3]]).toEqual([
      [9, 9, 9],
      [9, 9, 9],
    ]);
    expect(contained[1][0]).toBeGreaterThan(200);
    expect((await column('stretch', 0))[0][0]).toBeGreaterThan(200);
  });

  it('contains a transparent image on the same background as its bars', async () => {
    const path = await writePixels(
      join(folder, 'clear.png'),
      4,
      2,
      Array(8)
        .fill([...RED, 0])
        .flat(),
    );
    const bytes = await decode(path, { resize: 'contain', imageSize: 4, background: [1, 2, 3] });
    expect(new Set(Array.from({ length: 16 }, (_, i) => pixel(bytes, i).join()))).toEqual(new Set(['1,2,3']));
  });

  it('refuses text and a JPEG that ends too soon, in one line', async () => {
    const settings: DecodeSettings = { imageSize: 2, resize: 'stretch', background: [0, 0, 0] };
    await expect(decodeImage(Buffer.from('hello'), settings)).rejects.toThrow(/unsupported image format/);
    const jpeg = readFileSync(await writeImage(join(folder, 'whole.jpg'), [200, 100, 50], 64));
    const failure = await decodeImage(jpeg.subarray(0, jpeg.length - 60), settings).catch(
      (error: Error) => error.message,
    );
    expect(failure).toMatch(/premature end|truncated|corrupt/i);
    expect(failure).not.toContain('\n');
  });
});
