import { z } from 'zod';
import { UserError } from '#src/errors';
import type { ByteSource } from '#src/storage';

/** An image's id in JSON. Larger integers are not read exactly, so that two of them could become one. */
export const ImageId = z.int({
  error: ({ input }) => (Number.isInteger(input) ? `an integer within ±${Number.MAX_SAFE_INTEGER}` : 'an integer'),
});

/** One image to caption. */
export interface CaptionImage extends ByteSource {
  /** Unique within its data set. */
  readonly id: number;
  /** Its name in its data set. */
  readonly fileName: string;
}

/** One image with its captions: the record that every format is read into. */
export interface CaptionedImage extends CaptionImage {
  /** In file order, trimmed; empty if there are none. */
  readonly captions: readonly string[];
  /** If the format has splits. */
  readonly split?: string;
  /** If the format has domains: how close the image is to the training data. */
  readonly domain?: string;
}

/** Image id to captions, of the images that have any. */
export function captionsById(images: readonly CaptionedImage[]): ReadonlyMap<number, readonly string[]> {
  return new Map(images.filter(({ captions }) => captions.length > 0).map(({ id, captions }) => [id, captions]));
}

/** @throws UserError when an id occurs twice. @param where names the field of an entry */
export function refuseRepeatedIds(ids: readonly number[], where: (entry: number) => string): void {
  const firstEntry = new Map<number, number>();
  for (const [entry, id] of ids.entries()) {
    const earlier = firstEntry.get(id);
    if (earlier !== undefined) {
      throw new UserError(`${where(entry)}: expected a unique id, got ${id}, the id of images[${earlier}]`);
    }
    firstEntry.set(id, entry);
  }
}
