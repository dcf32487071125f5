import { statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openCheckedFile, readSealedJson } from '#src/storage';
import type { ImageEntry } from './labelledImages.js';

export interface BrokenImage {
  readonly path: string;
  readonly reason: string;
}

/** Decoded images on disk; broken ones appear only in `broken`. */
export interface PackedImages {
  readonly count: number;
  readonly imageSize: number;
  readonly paths: readonly string[];
  /** Position of each image in the list that was packed. */
  readonly entryIndices: readonly number[];
  readonly broken: readonly BrokenImage[];
  /** Copies the RGB bytes [imageSize, imageSize, 3] of image `index` to `into` at `offset`. */
  read(index: number, into: Uint8Array, offset: number): void;
  close(): void;
}

/** A broken image by its position in the list that was packed. */
export interface BrokenSlot {
  readonly slot: number;
  readonly reason: string;
}

const PackIndex = z.object({
  count: z.int(),
  imageSize: z.int(),
  broken: z.array(z.object({ slot: z.int(), reason: z.string() })),
  digests: z.array(z.string()).describe('of the chunks of images.bin'),
});
type PackIndex = z.output<typeof PackIndex>;

/** The metadata of a cache folder, or undefined if it is missing, incomplete or damaged. */
export function readPackIndex(folder: string, count: number, imageSize: number): PackIndex | undefined {
  try {
    const index = PackIndex.parse(readSealedJson(join(folder, 'index.json'), 'image cache'));
    const bytes = statSync(join(folder, 'images.bin')).size;
    const fits = index.count === count && index.imageSize === imageSize && bytes === count * imageSize * imageSize * 3;
    return fits ? index : undefined;
  } catch {
    return undefined;
  }
}

/** Opens a complete cache folder. Rows are read from the file on demand, so memory does not grow with the data. */
export function openPack(
  folder: string,
  entries: readonly ImageEntry[],
  { imageSize, broken, digests }: Pick<PackIndex, 'imageSize' | 'broken' | 'digests'>,
): PackedImages {
  const bytesPerImage = imageSize * imageSize * 3;
  const brokenSlots = new Set(broken.map(({ slot }) => slot));
  const entryIndices = [...entries.keys()].filter((slot) => !brokenSlots.has(slot));
  const file = openCheckedFile(join(folder, 'images.bin'), digests, `delete ${folder} and run again`);
  return {
    count: entryIndices.length,
    imageSize,
    paths: entryIndices.map((slot) => entries[slot].path),
    entryIndices,
    broken: broken.map(({ slot, reason }) => ({ path: entries[slot].path, reason })),
    read(index, into, offset) {
      if (!Number.isInteger(index) || index < 0 || index >= entryIndices.length) {
        throw new RangeError(`packedImages: expected an index in 0..${entryIndices.length - 1}, got ${index}`);
      }
      file.read(into, offset, bytesPerImage, entryIndices[index] * bytesPerImage);
    },
    close: file.close,
  };
}
