import { bleuOfTotals, nearestLength, numPositions } from './bleu.js';
import { clippedProduct, lengthPenalty, numBigrams, weightNorms } from './ciderD.js';
import { frequenciesOf, inverseFrequency } from './documentFrequencies.js';
import { type CaptionPair, type CountedCaption, MAX_NGRAM } from './pairedCaptions.js';

type Images = readonly Pick<CaptionPair, 'references'>[];

/** Past every length and count of a caption, so that two of them make one key. */
const KEY = 2 ** 20;

/**
 * `ciderD` of each candidate as the prediction for every image. The sums over references and over n-grams are exchanged: of
 * the references with an n-gram g, only their lengths l, how often k they have it, and their norms matter to a candidate,
 *
 *     Σ_r share_r exp(-(l_c - l_r)² / 72) · dot_n(c, r) / (‖c‖ ‖r‖) = 1/‖c‖ Σ_g Σ_l,k exp(…) · clipped(c_g, k) · Σ_r∋(g,l,k) share_r / ‖r‖,
 *
 * so one pass over the references serves all candidates.
 */
export function constantCiderD(candidates: readonly CountedCaption[], images: Images): Float64Array {
  const idf = inverseFrequency(frequenciesOf(images));
  // n-gram to Σ share / norm of the references with it, by KEY · length + count.
  const sums = emptyTables(candidates);
  for (const { references } of images) {
    const share = 10 / (MAX_NGRAM * references.length * images.length);
    for (const reference of references) {
      const norms = weightNorms(reference, idf);
      const length = KEY * numBigrams(reference);
      for (const [n, counts] of reference.ngrams.entries()) {
        // Without a norm no n-gram of it has weight.
        if (norms[n] > 0) for (const [ngram, count] of counts) addAt(sums.get(ngram), length + count, share / norms[n]);
      }
    }
  }
  return Float64Array.from(candidates, (candidate) => {
    const norms = weightNorms(candidate, idf);
    const length = numBigrams(candidate);
    let score = 0;
    for (const [n, counts] of candidate.ngrams.entries()) {
      if (norms[n] === 0) continue;
      for (const [ngram, count] of counts) {
        const weight = idf(ngram);
        for (const [key, sum] of sums.get(ngram)!) {
          const penalty = lengthPenalty(length - Math.floor(key / KEY));
          score += (penalty * clippedProduct(count, key % KEY, weight) * sum) / norms[n];
        }
      }
    }
    return score;
  });
}

/** BLEU-4 of each candidate as the prediction for every image, in one pass over the references. */
export function constantBleu4(candidates: readonly CountedCaption[], images: Images): Float64Array {
  // n-gram to the number of images that allow it, by how often they do.
  const allowing = emptyTables(candidates);
  const referenceLengths = new Map(candidates.map(({ numWords }) => [numWords, 0]));
  for (const { references } of images) {
    for (let n = 0; n < MAX_NGRAM; n++) {
      for (const [ngram, allowed] of largestCounts(references, n, allowing)) addAt(allowing.get(ngram), allowed, 1);
    }
    for (const [numWords, sum] of referenceLengths)
      referenceLengths.set(numWords, sum + nearestLength(numWords, references));
  }
  return Float64Array.from(candidates, ({ numWords, ngrams }) => {
    const matched = ngrams.map((counts) => {
      let sum = 0;
      for (const [ngram, count] of counts)
        for (const [allowed, numImages] of allowing.get(ngram)!) sum += Math.min(count, allowed) * numImages;
      return sum;
    });
    return bleuOfTotals({
      matched,
      positions: [1, 2, 3, 4].map((n) => images.length * numPositions(numWords, n)),
      predictedLength: images.length * numWords,
      referenceLength: referenceLengths.get(numWords)!,
    })[3];
  });
}

/** An empty table for every n-gram that a candidate has. */
function emptyTables(candidates: readonly CountedCaption[]): Map<string, Map<number, number>> {
  const tables = new Map<string, Map<number, number>>();
  for (const { ngrams } of candidates)
    for (const counts of ngrams)
      for (const ngram of counts.keys()) if (!tables.has(ngram)) tables.set(ngram, new Map());
  return tables;
}

function addAt(table: Map<number, number> | undefined, key: number, amount: number): void {
  table?.set(key, (table.get(key) ?? 0) + amount);
}

/** How often an image allows each of the wanted n-grams. */
function largestCounts(
  references: readonly CountedCaption[],
  n: number,
  wanted: ReadonlyMap<string, unknown>,
): Map<string, number> {
  const largest = new Map<string, number>();
  for (const { ngrams } of references) {
    for (const [ngram, count] of ngrams[n])
      if (wanted.has(ngram)) largest.set(ngram, Math.max(count, largest.get(ngram) ?? 0));
  }
  return largest;
}
