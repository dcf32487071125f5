import { type TokenizeOptions, tokenizeCaption } from '#captions/tokenization';
import { UserError } from '#src/errors';

/** The longest n-gram that BLEU and CIDEr look at. */
export const MAX_NGRAM = 4;

/** A tokenized caption with its n-grams counted. */
export interface CountedCaption {
  /** Tokens with spaces between them. */
  readonly text: string;
  readonly words: readonly string[];
  readonly numWords: number;
  /** Entry `n - 1` maps each n-gram (words joined by one space) to how often it occurs, for n = 1..4. */
  readonly ngrams: readonly ReadonlyMap<string, number>[];
}

/** Counts the n-grams, n = 1..4, of the whitespace-separated words of a caption. */
export function countCaption(text: string): CountedCaption {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const ngrams = Array.from({ length: MAX_NGRAM }, () => new Map<string, number>());
  for (let start = 0; start < words.length; start++) {
    let ngram = '';
    for (let n = 0; n < MAX_NGRAM && start + n < words.length; n++) {
      ngram = n === 0 ? words[start] : `${ngram} ${words[start + n]}`;
      ngrams[n].set(ngram, (ngrams[n].get(ngram) ?? 0) + 1);
    }
  }
  return { text, words, numWords: words.length, ngrams };
}

/** The most words of a caption that is scored: alignments of two captions grow with the square of their lengths. */
const MAX_WORDS = 2000;

/** A caption of an image, tokenized and counted. @throws UserError when it is far too long to be one */
function countOf(caption: string, imageId: number, options: TokenizeOptions): CountedCaption {
  const counted = countCaption(tokenizeCaption(caption, options));
  if (counted.numWords > MAX_WORDS) {
    throw new UserError(
      `captions: expected captions of at most ${MAX_WORDS} words, got one of ${counted.numWords} for image ${imageId}`,
    );
  }
  return counted;
}

/** References: image id to its ground-truth captions (one or more). */
export type CaptionSet = ReadonlyMap<number, readonly string[]>;

/** Predictions: image id to the caption that a model generated for it. */
export type CaptionPredictions = ReadonlyMap<number, string>;

/** What every metric reads for one image: the prediction and its references, tokenized and counted. */
export interface CaptionPair {
  readonly imageId: number;
  readonly prediction: CountedCaption;
  readonly references: readonly CountedCaption[];
}

/**
 * Predictions with their references, in ascending order of image id, so that sums over images are bit-identical
 * regardless of insertion order.
 *
 * @throws UserError when the two sets name different images, name none, or an image has no reference
 */
export function pairCaptions(
  predictions: CaptionPredictions,
  references: CaptionSet,
  options: TokenizeOptions = {},
): CaptionPair[] {
  const unpredicted = [...references.keys()].filter((id) => !predictions.has(id));
  const unreferenced = [...predictions.keys()].filter((id) => !references.has(id));
  if (unpredicted.length > 0 || unreferenced.length > 0) {
    throw new UserError(
      `captions: expected predictions and references for the same images, got ${predictions.size} predictions and ` +
        `${references.size} referenced images; ${listIds(unpredicted, 'without a prediction')}, ` +
        `${listIds(unreferenced, 'without references')}: score the same split that was captioned`,
    );
  }
  return countReferences(references, options).map(({ imageId, references: counted }) => ({
    imageId,
    prediction: countOf(predictions.get(imageId)!, imageId, options),
    references: counted,
  }));
}

/**
 * The references of every image, tokenized and counted, in ascending order of image id.
 *
 * @throws UserError when there is no image, or an image has no reference
 */
export function countReferences(references: CaptionSet, options: TokenizeOptions): Omit<CaptionPair, 'prediction'>[] {
  if (references.size === 0) throw new UserError('captions: expected at least one image with references, got none');
  return [...references.entries()]
    .sort(([a], [b]) => a - b)
    .map(([imageId, captions]) => {
      if (captions.length === 0) {
        throw new UserError(
          `captions: expected at least one reference for image ${imageId}, got none: remove the image`,
        );
      }
      return { imageId, references: captions.map((caption) => countOf(caption, imageId, options)) };
    });
}

/** `2 without a prediction (3, 7)`, with at most five ids. */
export function listIds(ids: readonly number[], what: string): string {
  if (ids.length === 0) return `none ${what}`;
  const shown = ids.slice(0, 5).join(', ');
  return `${ids.length} ${what} (${shown}${ids.length > 5 ? ', ...' : ''})`;
}
