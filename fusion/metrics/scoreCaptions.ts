import { bleu } from './bleu.js';
import { type CaptionPredictions, type CaptionSet, captionPairs } from './captionPairs.js';
import { ciderD } from './ciderD.js';
import type { DocumentFrequencies } from './documentFrequencies.js';
import { rougeL } from './rougeL.js';
import type { TokenizeOptions } from './simpleTokenize.js';

/** The caption metrics: BLEU and ROUGE-L in [0, 1], CIDEr-D in [0, 10]. */
export interface CaptionMetrics {
  readonly bleu1: number;
  readonly bleu2: number;
  readonly bleu3: number;
  readonly bleu4: number;
  readonly rougeL: number;
  readonly ciderD: number;
}

/** Scores of a set of captions. BLEU of the set is not the mean of its images; ROUGE-L and CIDEr-D are. */
export interface CaptionScores extends CaptionMetrics {
  /** One entry per image, in ascending order of id. */
  readonly perImage: readonly (CaptionMetrics & { readonly imageId: number })[];
}

export interface ScoreOptions extends TokenizeOptions {
  /** Where CIDEr's idf comes from (tokenized alike); the evaluated references when not given. */
  readonly documentFrequencies?: DocumentFrequencies;
}

/**
 * BLEU-1..4, ROUGE-L and CIDEr-D of one caption per image; the numbers are pycocoevalcap's for captions tokenized alike.
 * Time grows linearly with the number of images.
 *
 * @throws UserError when predictions and references name different images, name none, or an image has no reference
 */
export function scoreCaptions(
  predictions: CaptionPredictions,
  references: CaptionSet,
  options: ScoreOptions = {},
): CaptionScores {
  const pairs = captionPairs(predictions, references, options);
  const bleuScores = bleu(pairs);
  const rougeScores = rougeL(pairs);
  const ciderScores = ciderD(pairs, options.documentFrequencies);
  const named = ([bleu1, bleu2, bleu3, bleu4]: readonly number[], rouge: number, cider: number): CaptionMetrics => ({
    bleu1,
    bleu2,
    bleu3,
    bleu4,
    rougeL: rouge,
    ciderD: cider,
  });
  return {
    ...named(bleuScores.corpus, rougeScores.corpus, ciderScores.corpus),
    perImage: pairs.map(({ imageId }, index) => ({
      imageId,
      ...named(bleuScores.perImage[index], rougeScores.perImage[index], ciderScores.perImage[index]),
    })),
  };
}
