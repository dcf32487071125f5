import { type TokenizeOptions, tokenizeCaption } from '#captions/tokenization';
import { UserError } from '#src/errors';
import { nearestLength } from './bleu.js';
import type { ScoreOptions } from './captionStatistics.js';
import type { DocumentFrequencies } from './documentFrequencies.js';
import {
  type CaptionPair,
  type CaptionPredictions,
  type CaptionSet,
  countCaption,
  MAX_NGRAM,
  pairCaptions,
} from './pairedCaptions.js';

/** What the scores do not show about a set of predicted captions. */
export interface CaptionDiagnostics {
  readonly numImages: number;
  /** Words in the predictions over words in the references closest in length; below 1, BLEU's brevity penalty applies. */
  readonly lengthRatio: number;
  /** Mean words per predicted caption. */
  readonly meanLength: number;
  readonly distinct1: number;
  readonly distinct2: number;
  /** Distinct words in all predictions. */
  readonly vocabularySize: number;
  /** Predictions without any word. */
  readonly numEmpty: number;
  /** Predictions equal to that of an earlier image. */
  readonly numDuplicates: number;
  /** Share of predictions that are not captions of the training set, in [0, 1]; only if that set is given. */
  readonly novelShare?: number;
  /** One sentence for each way in which a score of this set is misleading. */
  readonly warnings: readonly string[];
}

/**
 * Lengths, diversity and novelty of predicted captions, with a warning for each misleading score.
 *
 * @param trainCaptions captions that the model may have memorized
 * @param options those that the scores were computed with
 * @throws UserError when predictions and references name different images, name none, or an image has no reference
 * @example
 * ```ts
 * const { lengthRatio, distinct2, warnings } = captionDiagnostics(predictions, references);
 * ```
 */
export function captionDiagnostics(
  predictions: CaptionPredictions,
  references: CaptionSet,
  trainCaptions?: Iterable<string>,
  options: ScoreOptions = {},
): CaptionDiagnostics {
  const pairs = pairCaptions(predictions, references, options);
  const captions = pairs.map(({ prediction }) => prediction.text);
  const numWords = pairs.reduce((sum, { prediction }) => sum + prediction.numWords, 0);
  const referenceWords = pairs.reduce(
    (sum, { prediction, references: counted }) => sum + nearestLength(prediction.numWords, counted),
    0,
  );
  const counts = {
    numImages: pairs.length,
    numEmpty: pairs.filter(({ prediction }) => prediction.numWords === 0).length,
    numDuplicates: pairs.length - new Set(captions).size,
    lengthRatio: referenceWords === 0 ? 0 : numWords / referenceWords,
  };
  return {
    ...counts,
    meanLength: numWords / pairs.length,
    distinct1: distinctN(captions, 1),
    distinct2: distinctN(captions, 2),
    vocabularySize: new Set(pairs.flatMap(({ prediction }) => prediction.words)).size,
    ...(trainCaptions === undefined ? {} : { novelShare: novelShare(captions, trainCaptions, options) }),
    warnings: misleading(pairs, counts, options.documentFrequencies),
  };
}

/**
 * Distinct n-grams over all n-grams of a set of tokenized captions, in [0, 1]; 0 when there is none. Low means that
 * the same few phrases are said of everything. Falls with the number of captions: compare sets of one size.
 *
 * Source: Li et al. 2016 (arXiv 1510.03055).
 *
 * @throws UserError when n is not 1, 2, 3 or 4
 * @example
 * ```ts
 * distinctN(['a red dot', 'a blue dot'], 2); // 1: all four pairs of words differ
 * ```
 */
export function distinctN(captions: Iterable<string>, n: number): number {
  if (!Number.isInteger(n) || n < 1 || n > MAX_NGRAM) {
    throw new UserError(`distinctN: expected n from 1 to ${MAX_NGRAM}, got ${n}`);
  }
  const seen = new Set<string>();
  let total = 0;
  for (const caption of captions) {
    for (const [ngram, count] of countCaption(caption).ngrams[n - 1]) {
      seen.add(ngram);
      total += count;
    }
  }
  return total === 0 ? 0 : seen.size / total;
}

function novelShare(captions: readonly string[], trainCaptions: Iterable<string>, options: TokenizeOptions): number {
  const known = new Set<string>();
  for (const caption of trainCaptions) known.add(tokenizeCaption(caption, options));
  return captions.filter((caption) => !known.has(caption)).length / captions.length;
}

function misleading(
  pairs: readonly CaptionPair[],
  {
    numImages,
    numEmpty,
    numDuplicates,
    lengthRatio,
  }: Pick<CaptionDiagnostics, 'numImages' | 'numEmpty' | 'numDuplicates' | 'lengthRatio'>,
  documentFrequencies: DocumentFrequencies | undefined,
): string[] {
  const warnings: string[] = [];
  const { numImages: counted } = documentFrequencies ?? { numImages };
  if (counted === 1) {
    warnings.push(
      `${documentFrequencies ? 'document frequencies of ' : ''}only one image: CIDEr-D is 0 for any caption, because ` +
        'n-grams found in every image have weight 0; ' +
        `${documentFrequencies ? '' : 'score more images, or '}provide document frequencies of a larger set`,
    );
  }
  if (numEmpty > 0) {
    warnings.push(`${numEmpty} of ${numImages} captions are empty: they count as 0 and lower every mean`);
  }
  const numShort = pairs.filter(({ prediction: { numWords } }) => numWords > 0 && numWords < MAX_NGRAM).length;
  if (numShort > 0) {
    warnings.push(
      `${numShort} of ${numImages} captions have fewer than ${MAX_NGRAM} words, so no 4-gram: even a perfect one reaches only ` +
        'BLEU-4 0.03 by itself and CIDEr-D 7.5 of 10 (5 with two words, 2.5 with one)',
    );
  }
  const numShortReferences = pairs.filter(({ references }) => references.every((r) => r.numWords < MAX_NGRAM)).length;
  if (numShortReferences > 0) {
    warnings.push(
      `${numShortReferences} of ${numImages} images have only references of fewer than ${MAX_NGRAM} words: BLEU-4 cannot ` +
        'match there and CIDEr-D is at most 7.5; check BLEU-1 and ROUGE-L too',
    );
  }
  if (numImages > 1 && numDuplicates === numImages - 1) {
    warnings.push(
      `all ${numImages} captions are identical: they say nothing about any single image, whatever the scores; ` +
        'compare with the best constant caption',
    );
  } else if (numDuplicates >= numImages / 2) {
    warnings.push(
      `${numDuplicates} of ${numImages} captions repeat that of an earlier image: a few generic phrases score well ` +
        'in BLEU and ROUGE-L; check CIDEr-D and the shuffled images',
    );
  }
  if (lengthRatio > 1.5) {
    warnings.push(
      `captions are ${lengthRatio.toFixed(1)} times as long as the references: CIDEr-D falls towards 0 even if they are ` +
        'correct; make the model write one short sentence',
    );
  } else if (lengthRatio < 0.7 && numEmpty === 0) {
    warnings.push(
      `captions are ${lengthRatio.toFixed(2)} times as long as the references: BLEU is lowered by the brevity penalty, ` +
        'not only by wrong words',
    );
  }
  return warnings;
}
