import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { pngOf, renderPicture } from '../../pictures/renderPicture.js';
import { decodePlainPng } from '../../vision/data/decodePlainPng.js';

const RED = [255, 0, 0];
const svg = (content: string, width = 40, height = 20): Buffer =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${content}</svg>`,
  );
const settings = { size: 32, background: [0, 0, 255], trim: false } as const;
const at = (pixels: Uint8Array, x: number, y: number, size = 32): number[] => [
  ...pixels.subarray(3 * (y * size + x), 3 * (y * size + x) + 3),
];

describe('renderPicture', () => {
  it('shows all of a wide drawing, with the background above, below and behind it', async () => {
    const pixels = await renderPicture(svg('<rect width="20" height="20" fill="red"/>'), settings);
    expect(pixels).toHaveLength(32 * 32 * 3);
    expect([at(pixels, 4, 16), at(pixels, 28, 16), at(pixels, 4, 2)]).toEqual([RED, [0, 0, 255], [0, 0, 255]]);
  });

  it('draws a small drawing sharply at a large size', async () => {
    const half = svg('<rect width="8" height="16" fill="red"/><rect x="8" width="8" height="16" fill="lime"/>', 16, 16);
    const pixels = await renderPicture(half, { ...settings, size: 128 });
    expect([at(pixels, 62, 64, 128), at(pixels, 65, 64, 128)]).toEqual([RED, [0, 255, 0]]);
  });

  it('shows all of a page in points without a view box, however late its root comes', async () => {
    const page = '<svg xmlns="http://www.w3.org/2000/svg" width="80pt" height="80pt">';
    const drawing = `<!--${' '.repeat(2000)}-->${page}<rect x="80" y="80" width="20" height="20" fill="red"/></svg>`;
    const pixels = await renderPicture(Buffer.from(drawing), settings);
    expect([at(pixels, 31, 31), at(pixels, 27, 27), at(pixels, 20, 20)]).toEqual([RED, RED, [0, 0, 255]]);
  });

  it('cuts off empty margins where it is told to', async () => {
    const corner = svg('<rect x="30" y="2" width="4" height="4" fill="red"/>');
    const pixels = await renderPicture(corner, { ...settings, trim: true });
    expect([at(pixels, 5, 5), at(pixels, 16, 16), at(pixels, 26, 26)]).toEqual([RED, RED, RED]);
    expect(at(pixels, 0, 0)).toEqual([0, 0, 255]);
    expect(at(await renderPicture(corner, settings), 16, 16)).toEqual([0, 0, 255]);
  });

  it('takes photographs too, grey ones as well', async () => {
    const levels = Uint8Array.from({ length: 81 }, (_, i) => 3 * i);
    const photo = await sharp(levels, { raw: { width: 9, height: 9, channels: 1 } })
      .jpeg()
      .toBuffer();
    const [red, green, blue] = at(await renderPicture(photo, { ...settings, trim: true }), 20, 20);
    expect(new Set([red, green, blue]).size).toBe(1);
  });

  it.each([
    ['an empty file', Buffer.alloc(0)],
    ['no image', Buffer.from('hello')],
    ['broken XML', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><rect')],
    ['an entity that is not there', svg('&nosuch;')],
  ])('says in one line what is wrong with %s', async (_, bytes) => {
    const message = await renderPicture(bytes, settings).catch((error: Error) => error.message);
    expect(message).toMatch(/^[^\n]+$/);
  });

  it.each([true, false])('refuses a drawing of nothing (trim %s)', async (trim) => {
    await expect(renderPicture(svg('<g/>'), { ...settings, trim })).rejects.toThrow('nothing is to be seen');
  });

  it('refuses to draw what other files hold', async () => {
    const outside = svg('<image href="file:///etc/hostname" width="40" height="20"/>');
    await expect(renderPicture(outside, settings)).rejects.toThrow('nothing is to be seen');
  });
});

describe('pngOf', () => {
  it('writes what is decoded without sharp', async () => {
    const pixels = await renderPicture(svg('<circle cx="20" cy="10" r="9" fill="red"/>'), settings);
    const decoded = decodePlainPng(await pngOf(pixels, 32), 32);
    expect(decoded && Buffer.compare(decoded, pixels)).toBe(0);
  });
});
