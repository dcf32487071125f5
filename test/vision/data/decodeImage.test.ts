import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
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

/** A grey image of 16 x 8 pixels, light, with `alpha` clear in its left half. */
async function greyImage(
  kind: '8 bits' | '16 bits' | '1 bit' | 'a profile of grey levels' | 'a profile of colours',
  alpha: boolean,
): Promise<Buffer> {
  const deep = kind === '16 bits';
  const most = deep ? 65_535 : 255;
  const level = kind === '1 bit' ? most : Math.round(most * 0.6);
  const values = Array.from({ length: 128 }, (_, i) => (alpha ? [level, i % 16 < 8 ? 0 : most] : [level])).flat();
  const raw = { width: 16, height: 8, channels: alpha ? 2 : 1 } as const;
  const image = sharp((deep ? Uint16Array : Uint8Array).from(values), { raw }).toColourspace(deep ? 'grey16' : 'b-w');
  if (kind === '1 bit' && !alpha) return await image.tiff({ bitdepth: 1, compression: 'ccittfax4' }).toBuffer();
  const bytes = await image.png().toBuffer();
  if (kind === 'a profile of grey levels') return withProfile(bytes, greyProfile());
  if (kind !== 'a profile of colours') return bytes;
  const { icc } = await sharp(
    await sharp(bytes).toColourspace('srgb').withIccProfile('p3').png().toBuffer(),
  ).metadata();
  return withProfile(bytes, icc as Buffer);
}

/** A PNG whose header names its size and kind (depth, colour, compression, filter, interlace), without pixels. */
function pngHeader(width: number, height: number, kind: readonly number[]): Buffer {
  const size = Buffer.alloc(8);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const header = pngChunk('IHDR', Buffer.concat([size, Buffer.from(kind)]));
  return Buffer.concat([
    signature,
    header,
    pngChunk('IDAT', deflateSync(Buffer.alloc(64))),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Length, type, data, CRC-32 of type and data. */
function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  return Buffer.concat([uint32(data.length), body, uint32(crc32(body))]);
}

function withProfile(png: Buffer, profile: Buffer): Buffer {
  const data = Buffer.concat([Buffer.from('profile\0\0', 'latin1'), deflateSync(profile)]);
  return Buffer.concat([png.subarray(0, 33), pngChunk('iCCP', data), png.subarray(33)]);
}

/** A profile of linear grey levels: https://www.color.org/specification/ICC.1-2022-05.pdf */
function greyProfile(): Buffer {
  const whitePoint = Buffer.concat([Buffer.from('XYZ \0\0\0\0', 'latin1'), ...[0xf6d6, 0x10000, 0xd32d].map(uint32)]);
  const curve = Buffer.concat([Buffer.from('curv\0\0\0\0', 'latin1'), uint32(1), Buffer.from([1, 0, 0, 0])]);
  const header = Buffer.alloc(128);
  const start = 128 + 4 + 2 * 12;
  header.writeUInt32BE(start + whitePoint.length + curve.length, 0);
  header.writeUInt32BE(0x02400000, 8);
  for (const [text, offset] of [
    ['mntr', 12],
    ['GRAY', 16],
    ['XYZ ', 20],
    ['acsp', 36],
  ] as const)
    header.write(text, offset);
  whitePoint.copy(header, 68, 8);
  const tag = (name: string, offset: number, { length }: Buffer): Buffer[] => [
    Buffer.from(name),
    uint32(offset),
    uint32(length),
  ];
  const tags = [...tag('wtpt', start, whitePoint), ...tag('kTRC', start + whitePoint.length, curve)];
  return Buffer.concat([header, uint32(2), ...tags, whitePoint, curve]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

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

  const GREYS = ['8 bits', '16 bits', '1 bit', 'a profile of grey levels', 'a profile of colours'] as const;
  it.each(GREYS.flatMap((kind) => [false, true].map((alpha) => [kind, alpha] as const)))(
    'shows the background behind and around a grey image: %s, alpha %s',
    async (kind, alpha) => {
      const background = [0, 0, 255] as const;
      const bytes = await greyImage(kind, alpha);
      const decodeGrey = async (resize: DecodeSettings['resize']): Promise<number[]> => [
        ...(await decodeImage(bytes, { imageSize: 4, resize, background })),
      ];
      // 16 x 8 in 4 x 4: the first row is background; the left half of the image is clear where it has alpha.
      const contained = await decodeGrey('contain');
      expect(pixel(contained, 0)).toEqual(BLUE);
      for (const [resize, place] of [
        ['contain', 4],
        ['stretch', 0],
      ] as const) {
        const left = pixel(await decodeGrey(resize), place);
        if (alpha) expect(left).toEqual(BLUE);
        else expect(new Set(left).size).toBe(1);
      }
      // Opaque and grey, where a resampled row of background does not reach.
      const [r, g] = pixel(await decodeGrey('cover'), 3);
      expect(g).toBe(r);
      expect(r).toBeGreaterThan(100);
    },
  );

  it('reads a palette with a transparent colour', async () => {
    const rgba = await writePixels(join(folder, 'rgba2.png'), 2, 2, [...RED, 255, ...RED, 0, ...RED, 255, ...RED, 0]);
    const path = join(folder, 'palette.png');
    await sharp(rgba).png({ palette: true }).toFile(path);
    expect((await sharp(path).metadata()).isPalette).toBe(true);
    const bytes = await decode(path, { background: [0, 200, 0] });
    expect([pixel(bytes, 0), pixel(bytes, 1)]).toEqual([RED, [0, 200, 0]]);
  });

  it('takes the first frame of an animation', async () => {
    const frames = await Promise.all(
      [RED, BLUE].map(([r, g, b]) =>
        sharp({ create: { width: 8, height: 8, channels: 3, background: { r, g, b } } })
          .png()
          .toBuffer(),
      ),
    );
    for (const format of ['gif', 'webp'] as const) {
      const animation = await sharp(frames, { join: { animated: true } })
        .toFormat(format, { lossless: true })
        .toBuffer();
      const bytes = await decodeImage(animation, { imageSize: 2, resize: 'stretch', background: [0, 0, 0] });
      expect([...bytes]).toEqual([...RED, ...RED, ...RED, ...RED]);
    }
  });

  it('refuses more pixels than maxImagePixels, with their number and the key', async () => {
    const path = await writeImage(join(folder, 'large.jpg'), [1, 2, 3], 100);
    await expect(decode(path, { maxImagePixels: 9999 })).rejects.toThrow(
      '100 × 100 pixels; expected at most 9999 (maxImagePixels): make it smaller',
    );
    await expect(decode(path, { maxImagePixels: 1, limitName: '--max-image-pixels' })).rejects.toThrow(
      '(--max-image-pixels)',
    );
    expect(await decode(path, { maxImagePixels: 10_000 })).toHaveLength(12);
  });

  it('refuses what takes too much memory before it decodes anything', async () => {
    const settings: DecodeSettings = { imageSize: 2, resize: 'stretch', background: [0, 0, 0] };
    const before = process.memoryUsage.rss();
    // RGBA of 16 bits, interlaced: the whole image would be held at once.
    await expect(decodeImage(pngHeader(9000, 9000, [16, 6, 0, 0, 1]), settings)).rejects.toThrow(
      /^9000 × 9000 pixels, which take \d{3} MB to decode; expected at most 448: make it smaller, or allow it by maxImagePixels$/,
    );
    await expect(decodeImage(pngHeader(40_000, 40_000, [8, 2, 0, 0, 0]), settings)).rejects.toThrow(
      '40000 × 40000 pixels; expected at most 200000000',
    );
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
  });

  it.each([
    ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>', 'SVG: cannot be decoded here'],
    ['a HEIC named as JPEG', '\0\0\0\x18ftypheic', 'HEIC: cannot be decoded here; convert to JPEG or PNG'],
    ['an empty file', '', 'an empty file'],
  ])('refuses %s', async (_, bytes, reason) => {
    const settings: DecodeSettings = { imageSize: 2, resize: 'stretch', background: [0, 0, 0] };
    await expect(decodeImage(Buffer.from(bytes, 'latin1'), settings)).rejects.toThrow(reason);
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
