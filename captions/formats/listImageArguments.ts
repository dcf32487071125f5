import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { isImageName, stemOf } from '#src/data';
import { ConfigError, UserError } from '#src/errors';
import type { CaptionImage } from './captionedImage.js';
import { assertImageFiles } from './imageFiles.js';
import { type ImageArgument, type ListImagesOptions, readImageArgument } from './listImages.js';

/** An image that cannot be used. */
export interface UnusableImage {
  /** Its name in messages. */
  readonly name: string;
  readonly reason: string;
}

export interface ListedImages {
  readonly images: readonly CaptionImage[];
  readonly unusable: readonly UnusableImage[];
}

/**
 * The images that several command-line arguments name, each as `listImages` takes it, in their order. Ids of captions files
 * are kept; other images are numbered 1, 2, 3, ... past them, and one that is named twice counts once. Images of equal names
 * in several arguments get their paths as names. With several arguments, one that names no image is unusable, not an error;
 * so are files that a captions file names and that are missing, once they are read.
 *
 * @throws UserError when no argument names an image; ConfigError when two captions files use the same id
 */
export function listImageArguments(
  args: readonly string[],
  options: Omit<ListImagesOptions, 'mayMiss'> = {},
): ListedImages {
  const unusable: UnusableImage[] = [];
  const listed: ImageArgument[] = [];
  for (const argument of withoutSidecars(args)) {
    try {
      listed.push(readImageArgument(argument, { ...options, mayMiss: true }));
    } catch (error) {
      if (args.length === 1 || !canDoWithout(argument, error)) throw error;
      unusable.push({ name: argument, reason: reasonOf(error as UserError, argument) });
    }
  }
  if (options.images !== undefined && !listed.some(({ ofCaptions }) => ofCaptions)) {
    throw new ConfigError('--images: it is for captions files whose images lie elsewhere, got none');
  }
  const images = args.length === 1 ? [...(listed[0]?.images ?? [])] : joined(listed);
  const present = images.filter(({ path, member }) => member !== undefined || existsSync(path));
  if (present.length === 0 && images.length > 0) {
    assertImageFiles(images, args[0], 'give the folder that contains them as --images');
  }
  if (images.length === 0) {
    const [{ name, reason }] = unusable;
    throw new UserError(`expected at least one image among ${args.length} files, got none; ${name}: ${reason}`);
  }
  return { images, unusable };
}

/** What a shell's `*` gives of a folder, without the texts beside images. */
function withoutSidecars(args: readonly string[]): string[] {
  const images = new Set(args.filter(isImageName).map(stemOf));
  return args.filter((argument) => !(/\.txt$/i.test(argument) && images.has(stemOf(argument))));
}

/** The images of all arguments, with ids and names that are unique among them. */
function joined(listed: readonly ImageArgument[]): CaptionImage[] {
  const taken = new Set<number>();
  for (const { images, ownIds } of listed) {
    if (!ownIds) continue;
    for (const { id, path } of images) {
      if (taken.has(id)) {
        throw new ConfigError(
          `image id ${id} of ${path}: expected ids of their own in each captions file; caption them one by one`,
        );
      }
      taken.add(id);
    }
  }
  let next = 1;
  const nextId = (): number => {
    while (taken.has(next)) next++;
    return next++;
  };
  const seen = new Set<string>();
  const kept = listed.map(({ images, ownIds }) =>
    images
      .filter((image) => {
        if (ownIds) return true;
        const place = `${resolve(image.path)} ${image.member?.offset ?? ''}`;
        return !seen.has(place) && seen.add(place);
      })
      .map((image) => (ownIds ? image : { ...image, id: nextId() })),
  );
  const users = new Map<string, number>();
  for (const images of kept) {
    for (const name of new Set(images.map(({ fileName }) => fileName))) users.set(name, (users.get(name) ?? 0) + 1);
  }
  return kept.flat().map((image) => {
    if (users.get(image.fileName) === 1) return image;
    return { ...image, fileName: relative('.', image.path) || image.path };
  });
}

/** Whether the others can be captioned without this argument; a mistake in what was asked ends the command instead. */
function canDoWithout(argument: string, error: unknown): boolean {
  if (!(error instanceof UserError) || argument.startsWith('{')) return false;
  return !(error instanceof ConfigError) || !(error.message.startsWith('--images') || /\.json$/i.test(argument));
}

/** The message without the name of the file, which a list gives before it. */
function reasonOf({ message }: UserError, argument: string): string {
  const at = message.indexOf(`${argument}: `);
  return at < 0 ? message : message.slice(at + argument.length + 2);
}
