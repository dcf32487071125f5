import sharp, { type Region, type Sharp } from 'sharp';
import { createMemoryBudget, imageFormatOf } from '#src/data';
import { withPageOf } from './svgPage.js';

// libvips keeps the last hundred images in memory, in case that the same bytes come again.
sharp.cache(false);

/** Identifies the renderer: pixels may differ between versions. */
export const RENDERER_VERSION = `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, librsvg ${sharp.versions.rsvg}`;

/** How a picture becomes a square. */
export interface RenderSettings {
  /** Side in pixels. */
  readonly size: number;
  /** Red, green, blue in 0..255, behind what is transparent. */
  readonly background: readonly [number, number, number];
  /** Whether empty margins are cut off. */
  readonly trim: boolean;
}

/** The largest file to draw; of thousands of drawings none was larger that was worth it. */
const MAX_BYTES = 16 * 2 ** 20;
const MAX_PIXELS = 50_000_000;

/** Drawings that take longer are broken or abuse filters. */
const TIMEOUT = { seconds: 30 };

/** Files drawn at the same time share this much memory. */
const drawing = createMemoryBudget(512 * 2 ** 20);

/** What the parsed elements of an SVG document take, as a multiple of its bytes, and what its pixels do besides. */
const MEMORY_PER_BYTE = 24;
const MEMORY_OF_PIXELS = 16 * 2 ** 20;

/** How much larger a picture is drawn whose margins are then cut off. */
const OVERSIZE = 4;

/** A margin that is left on each side, as a share of it. */
const MARGIN = 1 / 24;

/** Differences in brightness that cannot be seen, of 255. */
const FAINT = 12;

const NOTHING = 'nothing is to be seen';

/** Transparency up to which a pixel counts as empty, of 255. */
const EMPTY = 8;

/**
 * Draws an SVG document or an image file into RGB bytes [size, size, 3]: all of it is shown, its proportions are kept.
 *
 * @throws Error with a one-line reason when it is broken, too large, or nothing is to be seen
 */
export async function renderPicture(bytes: Buffer, settings: RenderSettings): Promise<Uint8Array> {
  if (bytes.length > MAX_BYTES) throw new Error(`a file of ${bytes.length} bytes; expected at most ${MAX_BYTES}`);
  return drawing.within(MEMORY_OF_PIXELS + MEMORY_PER_BYTE * bytes.length, async () => {
    try {
      const pixels = await (settings.trim ? renderTrimmed(bytes, settings) : renderWhole(bytes, settings));
      if (pixels.every((value, i) => Math.abs(value - pixels[i % 3]) <= FAINT)) throw new Error(NOTHING);
      return pixels;
    } catch (error) {
      throw new Error((error as Error).message.split('\n')[0].trim());
    }
  });
}

function renderWhole(bytes: Buffer, { size, background }: RenderSettings): Promise<Uint8Array> {
  return square(open(bytes, size), size, background);
}

async function renderTrimmed(bytes: Buffer, { size, background }: RenderSettings): Promise<Uint8Array> {
  const side = OVERSIZE * size;
  const { data, info } = await open(bytes, side)
    .resize(side, side, { fit: 'inside' })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true }); // [height, width, 4]
  const { width, height, channels } = info;
  const part = visiblePart(data, width, height);
  if (part === undefined) throw new Error(NOTHING);
  const margin = Math.round(MARGIN * size);
  const inner = await square(
    sharp(data, { raw: { width, height, channels } }).extract(part),
    size - 2 * margin,
    background,
  );
  return withMargin(inner, size - 2 * margin, margin, background);
}

/** @param side of an SVG's page, in pixels */
function open(bytes: Buffer, side: number): Sharp {
  // The root of an SVG may stand behind more entities than the format is told by.
  const image = imageFormatOf(bytes)?.decoded ? bytes : withPageOf(bytes, side);
  return sharp(image, { failOn: 'error', limitInputPixels: MAX_PIXELS, autoOrient: true }).timeout(TIMEOUT);
}

/** RGB bytes [size, size, 3] on the background. */
async function square(image: Sharp, size: number, [r, g, b]: RenderSettings['background']): Promise<Uint8Array> {
  const { data, info } = await image
    .resize(size, size, { fit: 'contain', background: { r, g, b } })
    .flatten({ background: { r, g, b } })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`drawn in ${info.channels} channels, not 3`);
  return data;
}

/** The smallest rectangle with all pixels that are not empty. @param pixels [height, width, 4] */
function visiblePart(pixels: Uint8Array, width: number, height: number): Region | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (pixels[4 * (y * width + x) + 3] <= EMPTY) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** @param pixels [inner, inner, 3] @returns [inner + 2 · margin, inner + 2 · margin, 3] */
function withMargin(
  pixels: Uint8Array,
  inner: number,
  margin: number,
  background: RenderSettings['background'],
): Uint8Array {
  const size = inner + 2 * margin;
  const all = new Uint8Array(size * size * 3);
  for (let i = 0; i < all.length; i++) all[i] = background[i % 3];
  for (let y = 0; y < inner; y++) {
    all.set(pixels.subarray(y * inner * 3, (y + 1) * inner * 3), ((y + margin) * size + margin) * 3);
  }
  return all;
}

/** RGB bytes [size, size, 3] as a plain PNG, which is decoded without sharp where it already has the right size. */
export function pngOf(pixels: Uint8Array, size: number): Promise<Buffer> {
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toBuffer();
}
