import { bleuOfTotals, nearestLength, numPositions } from './bleu.js';
import type { CaptionPair } from './captionPairs.js';
import { clippedProduct, lengthPenalty, numBigrams, overNorms, weightNorms } from './ciderD.js';
import { type CountedCaption, MAX_NGRAM } from './countedCaption.js';
import { frequenciesOf, inverseFrequency } from './documentFrequencies.js';

type Images = readonly Pick<CaptionPair, 'references'>[];

/** Candidates that have an n-gram, and how often each does. */
interface Posting {
  readonly candidates: number[];
  readonly counts: number[];
}

/** `ciderD` of each candidate as the prediction for every image, in one walk over the references. */
export function constantCiderD(candidates: readonly CountedCaption[], images: Images): Float64Array {
  const idf = inverseFrequency(frequenciesOf(images));
  const postings = invert(candidates);
  const norms = candidates.map((candidate) => weightNorms(candidate, idf));
  const lengths = candidates.map(numBigrams);
  const scores = new Float64Array(candidates.length);
  const dots = new Float64Array(candidates.length);
  for (const { references } of images) {
    for (const reference of references) {
      const referenceNorms = weightNorms(reference, idf);
      const length = numBigrams(reference);
      const share = 10 / (MAX_NGRAM * references.length * images.length);
      for (let n = 0; n < MAX_NGRAM; n++) {
        const touched: number[] = [];
        for (const [ngram, count] of reference.ngrams[n]) {
          const posting = postings.get(ngram);
          const weight = idf(ngram);
          if (posting === undefined || weight === 0) continue;
          const { candidates: having, counts } = posting;
          for (let i = 0; i < having.length; i++) {
            if (dots[having[i]] === 0) touched.push(having[i]);
            dots[having[i]] += clippedProduct(counts[i], count, weight);
          }
        }
        for (const candidate of touched) {
          const cosine = overNorms(dots[candidate], norms[candidate][n], referenceNorms[n]);
          scores[candidate] += share * cosine * lengthPenalty(lengths[candidate] - length);
          dots[candidate] = 0;
        }
      }
    }
  }
  return scores;
}

/** BLEU-4 of each candidate as the prediction for every image, in one walk over the references. */
export function constantBleu4(candidates: readonly CountedCaption[], images: Images): Float64Array {
  const postings = invert(candidates);
  const matched = candidates.map(() => new Float64Array(MAX_NGRAM));
  const referenceLengths = new Float64Array(candidates.length);
  for (const { references } of images) {
    for (let n = 0; n < MAX_NGRAM; n++) {
      for (const [ngram, allowed] of largestCounts(references, n)) {
        const posting = postings.get(ngram);
        if (posting === undefined) continue;
        for (const [index, candidate] of posting.candidates.entries()) {
          matched[candidate][n] += Math.min(posting.counts[index], allowed);
        }
      }
    }
    for (const [index, { numWords }] of candidates.entries()) {
      referenceLengths[index] += nearestLength(numWords, references);
    }
  }
  return Float64Array.from(candidates, ({ numWords }, index) => {
    const positions = [1, 2, 3, 4].map((n) => images.length * numPositions(numWords, n));
    const predictedLength = images.length * numWords;
    return bleuOfTotals({
      matched: matched[index],
      positions,
      predictedLength,
      referenceLength: referenceLengths[index],
    })[3];
  });
}

function largestCounts(references: readonly CountedCaption[], n: number): Map<string, number> {
  const largest = new Map<string, number>();
  for (const { ngrams } of references) {
    for (const [ngram, count] of ngrams[n]) largest.set(ngram, Math.max(count, largest.get(ngram) ?? 0));
  }
  return largest;
}

function invert(candidates: readonly CountedCaption[]): Map<string, Posting> {
  const postings = new Map<string, Posting>();
  for (const [candidate, { ngrams }] of candidates.entries()) {
    for (const counts of ngrams) {
      for (const [ngram, count] of counts) {
        let posting = postings.get(ngram);
        if (posting === undefined) {
          posting = { candidates: [], counts: [] };
          postings.set(ngram, posting);
        }
        posting.candidates.push(candidate);
        posting.counts.push(count);
      }
    }
  }
  return postings;
}
