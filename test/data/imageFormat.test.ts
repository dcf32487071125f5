import sharp from 'sharp';
import { expect, it } from 'vitest';
import { imageFormatOf } from '#src/data';

const square = () => sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } });

it.each([
  ['JPEG', () => square().jpeg()],
  ['PNG', () => square().png()],
  ['WebP', () => square().webp()],
  ['GIF', () => square().gif()],
  ['TIFF', () => square().tiff()],
  ['AVIF', () => square().avif()],
])('knows a %s by its first bytes', async (name, write) => {
  expect(imageFormatOf(await write().toBuffer())).toEqual({ name, decoded: true });
});

it.each([
  ['HEIC', '\0\0\0\x18ftypheic'],
  ['BMP', 'BM\x36\0\0\0\0\0\0\0'],
  ['PSD', '8BPS\0\x01'],
  ['PDF', '%PDF-1.7'],
  ['CR2', 'II*\0\x10\0\0\0CR\x02\0'],
  ['JPEG XL', '\xff\x0a'],
  ['SVG', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'],
])('knows a %s as a format that is not decoded', (name, bytes) => {
  expect(imageFormatOf(Buffer.from(bytes, 'latin1'))).toEqual({ name, decoded: false });
});

it.each(['', 'a cat on a mat', 'image,caption', '{"images": []}', '\xff\xd8', 'RIFF....WAVE', '<html>'])(
  'takes %j for no image',
  (text) => {
    expect(imageFormatOf(Buffer.from(text, 'latin1'))).toBeUndefined();
  },
);
