import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { forEachConcurrently } from '#src/data';
import { flushFiles, makeFolder } from '#src/storage';
import { startWork } from '#src/tracking';
import type { DrawnPicture, Picture } from './picture.js';
import { lookOf } from './pictureLook.js';
import { pngOf, type RenderSettings, renderPicture } from './renderPicture.js';

/** Pictures drawn at a time: as many as libuv has threads. */
const IN_FLIGHT = 4;

/** A picture that could not be drawn. */
export interface BrokenPicture {
  readonly name: string;
  readonly reason: string;
}

export interface DrawnPictures {
  readonly drawn: readonly DrawnPicture[];
  readonly broken: readonly BrokenPicture[];
}

/** Draws pictures to `<folder>/<name>.png`; both lists keep the order of the pictures. */
export async function drawPictures(
  pictures: readonly Picture[],
  folder: string,
  settings: RenderSettings,
): Promise<DrawnPictures> {
  const results: (DrawnPicture | BrokenPicture)[] = new Array(pictures.length);
  for (const path of new Set(pictures.map((picture) => dirname(fileOf(folder, picture))))) makeFolder(path);
  const report = startWork('drawing pictures', pictures.length, 'pictures');
  let done = 0;
  await forEachConcurrently(pictures.length, IN_FLIGHT, async (i) => {
    const picture = pictures[i];
    const pixels = await renderPicture(picture.bytes(), settings).catch((error: Error) => error.message);
    if (typeof pixels === 'string') results[i] = { name: picture.name, reason: pixels };
    else {
      writeFileSync(fileOf(folder, picture), await pngOf(pixels, settings.size));
      results[i] = { ...picture, look: lookOf(pixels, settings.size), variety: colourVariety(pixels) };
    }
    report(++done);
  });
  const drawn = results.filter((result) => 'look' in result);
  await flushFiles(drawn.map((picture) => fileOf(folder, picture)));
  return { drawn, broken: results.filter((result) => 'reason' in result) };
}

function colourVariety(pixels: Uint8Array): number {
  const colours = new Set<number>();
  let count = 0;
  for (let i = 0; i < pixels.length; i += 3) {
    const [red, green, blue] = [pixels[i] >> 3, pixels[i + 1] >> 3, pixels[i + 2] >> 3];
    if (red + green + blue === 93) continue;
    colours.add((red << 10) | (green << 5) | blue);
    count++;
  }
  return count === 0 ? 0 : colours.size / Math.sqrt(count);
}

function fileOf(folder: string, { name }: Pick<Picture, 'name'>): string {
  return join(folder, `${name}.png`);
}
