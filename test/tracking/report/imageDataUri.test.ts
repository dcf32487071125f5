import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { imageDataUri } from '#src/tracking';
import { temporaryFolder } from '../../support/temporaryFolder.js';

const pixels = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: { r: 9, g: 99, b: 199 } } });

describe('imageDataUri', () => {
  it('embeds a PNG with its size, from bytes or a path alike', async () => {
    const bytes = await pixels(30, 20).png().toBuffer();
    const path = join(temporaryFolder(), 'image.png');
    writeFileSync(path, bytes);
    const embedded = imageDataUri(path);
    expect(embedded.size).toEqual({ width: 30, height: 20 });
    expect(Buffer.from(embedded.uri.replace('data:image/png;base64,', ''), 'base64').equals(bytes)).toBe(true);
    expect(imageDataUri(new Uint8Array(bytes))).toEqual(embedded);
  });

  it('embeds an image of an archive, and names it when it is none', async () => {
    const folder = temporaryFolder();
    const bytes = await pixels(3, 2).png().toBuffer();
    const archive = join(folder, 'a.bin');
    writeFileSync(archive, Buffer.concat([Buffer.alloc(99), bytes, Buffer.alloc(9)]));
    const image = { path: `${archive}/0.png`, member: { archive, offset: 99, length: bytes.length } };
    expect(imageDataUri(image)).toEqual(imageDataUri(new Uint8Array(bytes)));
    const none = { ...image, member: { ...image.member, offset: 0 } };
    expect(() => imageDataUri(none)).toThrow(`${archive}/0.png: expected the bytes of a PNG or JPEG`);
  });

  it('embeds a JPEG', async () => {
    expect(imageDataUri(await pixels(8, 8).jpeg().toBuffer()).uri).toMatch(/^data:image\/jpeg;base64,/);
  });

  it('refuses anything else and a missing file by name', () => {
    const path = join(temporaryFolder(), 'text.png');
    writeFileSync(path, 'no image');
    expect(() => imageDataUri(path)).toThrow(`${path}: expected the bytes of a PNG or JPEG`);
    expect(() => imageDataUri(`${path}.missing`)).toThrow('no such file');
  });
});
