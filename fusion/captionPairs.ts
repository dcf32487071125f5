import { type CaptionedImage, type CaptionSource, captionSourceName, loadCaptions } from '#captions/formats';
import { type TextBatch, type Tokenizer, textBatch } from '#language';
import { namePassedOver } from '#src/data';
import { UserError } from '#src/errors';
import { createRandom } from '#src/random';
import { openImageList, type VisionModelConfig } from '#vision';
import type { TokenWeights } from './tokenWeights.js';

/** Images with their captions, decoded and tokenized, for alignment and evaluation. */
export interface CaptionPairs {
  readonly images: readonly CaptionedImage[];
  readonly imageIds: readonly number[];
  /** Captions of each image, in the order of `imageIds`. */
  readonly captions: readonly (readonly string[])[];
  /** Images that cannot be read, of those with captions: they are in none of these lists. */
  readonly numLeftOut: number;
  /** Images × their captions. */
  readonly numPairs: number;
  /** Pixels of images by position, [count, imageSize, imageSize, 3] in [−1, 1]. */
  pixelValues(positions: ArrayLike<number>): Float32Array;
  /** Training pairs of micro-batch `index`: epochs over all pairs, each a new permutation. */
  batchAt(index: number, batchSize: number, seed: number): CaptionBatch;
  /** Every pair once, in order. */
  batches(batchSize: number): Generator<CaptionBatch>;
  close(): void;
}

/** Where pairs come from. */
export interface CaptionPairSource {
  readonly captions: CaptionSource;
  readonly images?: string | undefined;
  /** Share of the images that may be missing or unreadable. Default: none. */
  readonly maxBrokenShare?: number | undefined;
  readonly maxImagePixels?: number | undefined;
}

/** Captions with the positions of their images. */
export interface CaptionBatch {
  /** [batch], positions in `imageIds` */
  readonly images: Int32Array;
  readonly text: TextBatch;
  /** [batch · seqLen], weight of each label in the loss. */
  readonly weights: (step: number) => Float32Array;
}

export interface CaptionPlaces {
  /** Longer captions are refused, naming the first. */
  readonly seqLen: number;
  readonly cacheDir: string;
  /** Folder that relative paths start from. Default: the working folder. */
  readonly root?: string;
  /** Keeps the first `maxPairs` pairs; images without one of them are left out. */
  readonly maxPairs?: number;
  /** Takes a line about images and files that are left out. */
  readonly note?: (line: string) => void;
}

/** The images of the first `maxPairs` pairs, or of all, with those captions alone. */
export function firstPairs(images: readonly CaptionedImage[], maxPairs = Number.POSITIVE_INFINITY): CaptionedImage[] {
  let left = maxPairs;
  return images.flatMap((image) => {
    const captions = image.captions.slice(0, left);
    left -= captions.length;
    return captions.length === 0 ? [] : [{ ...image, captions }];
  });
}

/**
 * Opens images with captions of any format: images decoded once into the packed cache, captions tokenized as
 * `<end of text> caption <end of text>`. Images without captions are left out, and as many unreadable ones as the source allows.
 *
 * @throws UserError when there are no pairs, more images are unreadable, or a caption is too long
 */
export async function openCaptionPairs(
  { captions: source, images: imageDir, maxBrokenShare = 0, maxImagePixels }: CaptionPairSource,
  { backbone, preprocessing }: Pick<VisionModelConfig, 'backbone' | 'preprocessing'>,
  tokenizer: Tokenizer,
  tokenWeights: TokenWeights,
  { seqLen, cacheDir, root, maxPairs, note }: CaptionPlaces,
): Promise<CaptionPairs> {
  const all = loadCaptions(source, {
    root,
    images: imageDir,
    note,
    requireImageFiles: maxBrokenShare === 0,
    advice: "set 'images' to the folder that contains them, or maxBrokenShare to the share that may be left out",
  });
  const listed = firstPairs(all, maxPairs);
  const name = captionSourceName(source);
  if (listed.length === 0) throw new UserError(`${name}: expected images with captions, got none`);
  const pixels = await openImageList(
    listed.map(({ path, member, fileName: key }) => ({ path, member, key })),
    preprocessing,
    {
      imageSize: backbone.imageSize,
      cacheDir,
      maxBrokenShare,
      maxImagePixels,
      advice: `${maxBrokenShare === 0 ? 'set' : 'raise'} maxBrokenShare beside captions to leave them out`,
    },
  );
  const images = pixels.indices.map((position) => listed[position]);
  if (pixels.broken.length > 0) {
    const broken = namePassedOver(pixels.broken.map(({ path, reason }) => ({ name: path, reason })));
    note?.(`${name}: ${pixels.broken.length} of ${listed.length} images left out: ${broken}`);
  }
  const captions = images.map((image) => image.captions);
  const pairs = captions.flatMap((texts, image) =>
    texts.map((caption) => {
      const pieces = tokenWeights.tokenize(caption, tokenizer);
      if (pieces.ids.length > seqLen - 1) {
        throw new UserError(
          `${name}: a caption of image ${images[image].id} has ${pieces.ids.length} tokens; expected at most ${seqLen - 1}: shorten it, or raise seqLen, up to that of the language model`,
        );
      }
      const end = tokenizer.endOfTextId;
      return { image, row: Int32Array.from([end, ...pieces.ids, end]), rules: [...pieces.rules, 0] };
    }),
  );
  const makeBatch = (chosen: readonly number[]): CaptionBatch => {
    const selected = chosen.map((index) => pairs[index]);
    const longest = Math.max(...selected.map(({ row }) => row.length - 1));
    // A multiple of 8 keeps the number of different shapes, and so of engine allocations, small.
    const width = Math.min(seqLen, Math.ceil(longest / 8) * 8);
    const text = textBatch(
      selected.map(({ row }) => row),
      width,
      tokenizer.endOfTextId,
    );
    return {
      images: Int32Array.from(selected, ({ image }) => image),
      text,
      weights: (step) => {
        const weights = new Float32Array(selected.length * width);
        for (const [b, { rules }] of selected.entries()) {
          for (const [t, rule] of rules.entries()) weights[b * width + t] = tokenWeights.weightAt(rule, step);
        }
        return weights;
      },
    };
  };
  let permutation: { key: string; order: number[] } | undefined;
  const orderOf = (seed: number, epoch: number): number[] => {
    const key = `${seed}/${epoch}`;
    if (permutation?.key !== key) {
      permutation = { key, order: createRandom(seed, 'pairs', epoch).shuffled([...pairs.keys()]) };
    }
    return permutation.order;
  };
  return {
    images,
    imageIds: images.map(({ id }) => id),
    captions,
    numLeftOut: pixels.broken.length,
    numPairs: pairs.length,
    pixelValues: (positions) => pixels.batchOf(positions).pixelValues,
    batchAt: (index, batchSize, seed) => {
      const first = index * batchSize;
      return makeBatch(
        Array.from({ length: batchSize }, (_, i) => {
          const place = first + i;
          return orderOf(seed, Math.floor(place / pairs.length))[place % pairs.length];
        }),
      );
    },
    *batches(batchSize) {
      for (let first = 0; first < pairs.length; first += batchSize) {
        yield makeBatch(Array.from({ length: Math.min(batchSize, pairs.length - first) }, (_, i) => first + i));
      }
    },
    close: () => pixels.close(),
  };
}
