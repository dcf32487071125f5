import type { TokenizeOptions } from '#captions/tokenization';
import { UserError } from '#src/errors';
import { type CaptionPair, type CaptionSet, countReferences } from './pairedCaptions.js';

/** In how many images of a set each n-gram (n = 1..4) occurs: what CIDEr weighs n-grams by. */
export interface DocumentFrequencies {
  readonly numImages: number;
  /** n-gram (words joined by one space) to the number of images with it in any reference. */
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * The document frequencies of a reference set, such as a whole validation set whose idf scores a smaller one.
 *
 * @throws UserError when there is no image, or an image has no reference
 * @example
 * ```ts
 * const scores = scoreCaptions(some, referencesOfSome, { documentFrequencies: documentFrequencies(references) });
 * ```
 */
export function documentFrequencies(references: CaptionSet, options: TokenizeOptions = {}): DocumentFrequencies {
  return frequenciesOf(countReferences(references, options));
}

/** Document frequencies of references that are counted already. */
export function frequenciesOf(images: readonly Pick<CaptionPair, 'references'>[]): DocumentFrequencies {
  const counts = new Map<string, number>();
  for (const { references } of images) {
    const inImage = new Set<string>();
    for (const { ngrams } of references)
      for (const ofLength of ngrams) for (const key of ofLength.keys()) inImage.add(key);
    for (const ngram of inImage) counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return { numImages: images.length, counts };
}

/**
 * idf(g) = ln N - ln max(1, df(g)); an n-gram no reference has counts as if one had it.
 *
 * @throws UserError when the table says it comes from less than one image
 */
export function inverseFrequency({ numImages, counts }: DocumentFrequencies): (ngram: string) => number {
  if (!(numImages >= 1)) {
    throw new UserError(`document frequencies: expected numImages of at least 1, got ${numImages}`);
  }
  const logImages = Math.log(numImages);
  return (ngram) => logImages - Math.log(Math.max(1, counts.get(ngram) ?? 0));
}
