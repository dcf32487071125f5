import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { COLOUR_NAMES, writeCaptionsJson } from './tinyCaptions.js';

/** A picture of `photos/`, and what it shows. */
export interface Photo {
  readonly id: number;
  readonly file: string;
  readonly captions: readonly string[];
}

/** `photos/` with a picture for each caption of `photos/captions.json`. */
export async function writePhotos(folder: string): Promise<Photo[]> {
  mkdirSync(join(folder, 'photos'));
  const photos = Array.from({ length: 24 }, (_, i) => i + 1).map((id): Photo & { colour: string } => {
    const colour = COLOUR_NAMES[id % COLOUR_NAMES.length];
    return { id, file: `${id}.jpg`, captions: [`a ${colour} wall`, `a wall painted ${colour}`], colour };
  });
  for (const { id, file, colour: background } of photos) {
    await sharp({ create: { width: 40 + id, height: 32, channels: 3, background } }).toFile(
      join(folder, 'photos', file),
    );
  }
  writeCaptionsJson(
    join(folder, 'photos'),
    photos.map(({ id, file }) => ({ id, file_name: file })),
    photos.flatMap(({ id, captions }) => captions.map((caption) => ({ image_id: id, caption }))),
  );
  return photos;
}
