import { type DocumentFrequencies, frequenciesOf, inverseFrequency } from './documentFrequencies.js';
import { type CaptionPair, type CountedCaption, MAX_NGRAM } from './pairedCaptions.js';

/** Width of the length penalty. */
const SIGMA = 6;

/**
 * CIDEr-D of every image, in [0, 10]. The score of a set is the mean, which papers report times 100.
 *
 *     w_g(c) = tf_g(c) · (ln N - ln max(1, df_g))
 *     CIDEr-D_n(h, r) = exp(-(l_h - l_r)² / (2 · 6²)) · Σ_g min(w_g(h), w_g(r)) · w_g(r) / (‖w(h)‖ ‖w(r)‖)
 *     CIDEr-D = 10 · mean over references and over n = 1..4
 *
 * l counts bigrams, as the reference scorer does, so captions of one word and of none are equally long. A caption without
 * 4-grams reaches at most 7.5; a single image gets 0, since ln 1 = 0.
 *
 * @param frequencies df and N. Default: those of the references in `pairs`
 * Source: Vedantam et al. 2015; details as in pycocoevalcap's `cider_scorer.py`.
 */
export function ciderD(
  pairs: readonly CaptionPair[],
  frequencies: DocumentFrequencies = frequenciesOf(pairs),
): number[] {
  const idf = inverseFrequency(frequencies);
  return pairs.map(({ prediction, references }) => {
    const predictionNorms = weightNorms(prediction, idf);
    let sum = 0;
    for (const reference of references) {
      const referenceNorms = weightNorms(reference, idf);
      let similarity = 0;
      for (let n = 0; n < MAX_NGRAM; n++) {
        let dot = 0;
        for (const [ngram, count] of prediction.ngrams[n]) {
          const other = reference.ngrams[n].get(ngram);
          if (other !== undefined) dot += clippedProduct(count, other, idf(ngram));
        }
        similarity += overNorms(dot, predictionNorms[n], referenceNorms[n]);
      }
      sum += similarity * lengthPenalty(numBigrams(prediction) - numBigrams(reference));
    }
    return (10 * sum) / MAX_NGRAM / references.length;
  });
}

/** The Euclidean norms of a caption's tf-idf vectors, entry `n - 1` for n-grams. */
export function weightNorms(caption: CountedCaption, idf: (ngram: string) => number): number[] {
  return caption.ngrams.map((counts) => {
    let squares = 0;
    for (const [ngram, count] of counts) squares += (count * idf(ngram)) ** 2;
    return Math.sqrt(squares);
  });
}

/** min(w(h), w(r)) · w(r) of one n-gram. */
export function clippedProduct(predicted: number, referenced: number, idf: number): number {
  return Math.min(predicted * idf, referenced * idf) * referenced * idf;
}

/** Cosine similarity; if a vector is zero, the dot product is returned unnormalized, as in the reference scorer. */
function overNorms(dot: number, predictionNorm: number, referenceNorm: number): number {
  return predictionNorm !== 0 && referenceNorm !== 0 ? dot / (predictionNorm * referenceNorm) : dot;
}

/** exp(-delta² / (2 · 6²)), delta in bigrams. */
export function lengthPenalty(delta: number): number {
  return Math.exp(-(delta * delta) / (2 * SIGMA * SIGMA));
}

/** A caption's length as CIDEr-D measures it. */
export function numBigrams({ numWords }: CountedCaption): number {
  return Math.max(0, numWords - 1);
}
