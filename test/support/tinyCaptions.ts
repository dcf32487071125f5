import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

const COLOURS = {
  red: '#d62728',
  green: '#2ca02c',
  blue: '#1f77b4',
  black: '#000000',
  orange: '#ff7f0e',
  grey: '#7f7f7f',
  pink: '#f7b6d2',
  brown: '#8c564b',
} as const;

export const COLOUR_NAMES = Object.keys(COLOURS) as (keyof typeof COLOURS)[];

/**
 * A COCO captions file and its images beside it: one plain 16-pixel image a colour, each with two captions. Image ids are
 * 10, 11, …
 *
 * @returns the path of the captions file
 */
export async function writeTinyCaptions(folder: string, names = COLOUR_NAMES): Promise<string> {
  mkdirSync(join(folder, 'images'), { recursive: true });
  for (const name of names) {
    const square = { width: 16, height: 16, channels: 3, background: COLOURS[name] } as const;
    await sharp({ create: square }).toFile(join(folder, 'images', `${name}.png`));
  }
  const captions = names.flatMap((name, i) =>
    [`a ${name} square`, `the square is ${name}`].map((caption) => ({ image_id: 10 + i, caption })),
  );
  return writeCaptionsJson(
    folder,
    names.map((name, i) => ({ id: 10 + i, file_name: `${name}.png` })),
    captions,
  );
}

/** Writes a COCO captions file of images that are there already. */
export function writeCaptionsJson(
  folder: string,
  images: readonly { id: number; file_name: string }[],
  annotations: readonly { image_id: number; caption: string }[],
): string {
  const path = join(folder, 'captions.json');
  writeFileSync(path, JSON.stringify({ images, annotations }));
  return path;
}
