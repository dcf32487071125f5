import sharp from 'sharp';
import type { Ground, Scene } from './scene.js';
import { shapeSvg } from './shapeGeometry.js';

/** Contrast of a noisy ground: the largest change of a channel by noise, as a share of its range. */
const NOISE_CONTRAST = 0.5;

/**
 * Side of a sheet in pixels. A call of the rasteriser costs about 1 ms and a noisy ground makes it clear whole sheets:
 * of 96 to 384 pixels, this side was the fastest.
 */
const SHEET_SIDE = 192;

/** How many scenes `renderScenes` draws best at a time. */
export function scenesPerSheet(imageSize: number): number {
  return columnsOf(imageSize) ** 2;
}

/**
 * Draws scenes of one size as tiles of one sheet and cuts them apart. A scene's pixels depend on the scene alone: every
 * tile is a viewport of its own, which clips what is in it and is where its noise starts.
 *
 * @returns RGB bytes [imageSize, imageSize, 3] of each scene
 */
export async function renderScenes(scenes: readonly Scene[]): Promise<Uint8Array[]> {
  if (scenes.length === 0) return [];
  const { imageSize } = scenes[0];
  const columns = Math.min(columnsOf(imageSize), scenes.length);
  const sheet = await sharp(Buffer.from(sheetSvg(scenes, imageSize, columns)))
    .removeAlpha()
    .raw()
    .toBuffer(); // [rows · imageSize, columns · imageSize, 3]
  return scenes.map((_, i) => cutTile(sheet, imageSize, columns, i));
}

function columnsOf(imageSize: number): number {
  return Math.max(1, Math.floor(SHEET_SIDE / imageSize));
}

function sheetSvg(scenes: readonly Scene[], imageSize: number, columns: number): string {
  const tiles = scenes.map(({ ground, objects }, i) => {
    const x = (i % columns) * imageSize;
    const y = Math.floor(i / columns) * imageSize;
    const content = groundSvg(ground, `noise${i}`) + objects.map(shapeSvg).join('');
    return `<svg x="${x}" y="${y}" width="${imageSize}" height="${imageSize}">${content}</svg>`;
  });
  const height = Math.ceil(scenes.length / columns) * imageSize;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${columns * imageSize}" height="${height}">${tiles.join('')}</svg>`;
}

function cutTile(sheet: Uint8Array, imageSize: number, columns: number, tile: number): Uint8Array {
  const rowBytes = imageSize * 3;
  const sheetRowBytes = columns * rowBytes;
  const start = Math.floor(tile / columns) * imageSize * sheetRowBytes + (tile % columns) * rowBytes;
  const pixels = new Uint8Array(imageSize * rowBytes);
  for (let y = 0; y < imageSize; y++) {
    const from = start + y * sheetRowBytes;
    pixels.set(sheet.subarray(from, from + rowBytes), y * rowBytes);
  }
  return pixels;
}

/** @param filterId a name of its own in the document */
function groundSvg({ kind, fill, noiseSeed }: Ground, filterId: string): string {
  if (kind === 'plain') return `<rect width="100%" height="100%" fill="${fill}"/>`;
  // Each channel becomes the fill plus the same noise (mean 1/2) about zero.
  const rows = [1, 3, 5].map((start) => {
    const channel = Number.parseInt(fill.slice(start, start + 2), 16) / 255;
    return `${NOISE_CONTRAST} 0 0 0 ${(channel - NOISE_CONTRAST / 2).toFixed(4)}`;
  });
  return (
    `<filter id="${filterId}" x="0" y="0" width="1" height="1" color-interpolation-filters="sRGB">` +
    `<feTurbulence type="fractalNoise" baseFrequency="0.7" numOctaves="1" seed="${noiseSeed}"/>` +
    `<feColorMatrix values="${rows.join(' ')} 0 0 0 0 1"/></filter>` +
    `<rect width="100%" height="100%" filter="url(#${filterId})"/>`
  );
}
