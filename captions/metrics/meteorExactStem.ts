import { porterStem } from '#captions/tokenization';
import type { CaptionPair } from './pairedCaptions.js';

/** METEOR 1.5's parameters for English: weight of precision, power and weight of fragmentation, weight of a stem. */
const ALPHA = 0.85;
const BETA = 0.2;
const GAMMA = 0.6;
const STEM_WEIGHT = 0.6;

/** Alignments that are kept at each word. Captions stay far below it, so theirs are the best there are. */
const BEAM = 40;

/** What the score is a function of; sums over images give the score of the set. */
export interface MeteorTotals {
  /** Matched words, those by stem alone counted 0.6. */
  readonly weighted: number;
  readonly matched: number;
  /** Runs of matches that stand in one order in both; 0 where all words of both match in one run. */
  readonly chunks: number;
  readonly predictedLength: number;
  readonly referenceLength: number;
}

/**
 * METEOR without WordNet and paraphrases: words match when they, or their Porter stems, are equal. NOT METEOR 1.5,
 * whose figures are higher: it also matches synonyms and paraphrases and weighs function words less.
 *
 *     P = weighted / |h|      R = weighted / |r|      F = P R / (0.85 P + 0.15 R)
 *     score = F · (1 − 0.6 · (chunks / matched)^0.2)
 *
 * The alignment matches as many words as can be, each once, in the fewest chunks. Of several references the one that
 * scores best counts.
 *
 * Source: Denkowski & Lavie 2014 (METEOR 1.5), with equal weights for all words.
 */
export function meteorTotals(
  { prediction, references }: CaptionPair,
  stemOf: (word: string) => string = porterStem,
): MeteorTotals {
  const totals = references.map(({ words }) => align(prediction.words, words, stemOf));
  return totals.reduce((best, other) => (isBetter(other, best) ? other : best));
}

/** Among equal scores the shorter reference counts, then that with more matches, whatever their order. */
function isBetter(a: MeteorTotals, b: MeteorTotals): boolean {
  const difference =
    meteorOfTotals(a) - meteorOfTotals(b) || b.referenceLength - a.referenceLength || a.matched - b.matched;
  return difference > 0;
}

/** The score in [0, 1] from totals of one image or from their sums over many. */
export function meteorOfTotals({ weighted, matched, chunks, predictedLength, referenceLength }: MeteorTotals): number {
  if (matched === 0) return 0;
  const precision = weighted / predictedLength;
  const recall = weighted / referenceLength;
  const mean = (precision * recall) / (ALPHA * precision + (1 - ALPHA) * recall);
  return mean * (1 - GAMMA * (chunks / matched) ** BETA);
}

/** A stemmer that works out each word once. */
export function rememberedStems(): (word: string) => string {
  const stems = new Map<string, string>();
  return (word) => {
    let stem = stems.get(word);
    if (stem === undefined) {
      stem = porterStem(word);
      stems.set(word, stem);
    }
    return stem;
  };
}

/** A way to match the words up to some position. */
interface Alignment {
  /** Bit j: reference word j is matched. */
  readonly used: bigint;
  /** The reference word that the last word matched; −2 when it matched none. */
  readonly last: number;
  readonly chunks: number;
  /** Summed differences of position, which decide among equal numbers of chunks. */
  readonly distance: number;
  readonly weighted: number;
}

function align(
  predicted: readonly string[],
  referenced: readonly string[],
  stemOf: (word: string) => string,
): MeteorTotals {
  const stems = predicted.map(stemOf);
  const places = new Map<string, number[]>();
  for (const [place, word] of referenced.entries()) {
    const stem = stemOf(word);
    places.set(stem, [...(places.get(stem) ?? []), place]);
  }
  const remaining = new Map<string, number>();
  for (const stem of stems) remaining.set(stem, (remaining.get(stem) ?? 0) + 1);
  let matched = 0;
  for (const [stem, count] of remaining) matched += Math.min(count, places.get(stem)?.length ?? 0);

  let beam: Alignment[] = [{ used: 0n, last: -2, chunks: 0, distance: 0, weighted: 0 }];
  for (const [position, stem] of stems.entries()) {
    const later = remaining.get(stem)! - 1;
    remaining.set(stem, later);
    const candidates = places.get(stem) ?? [];
    const next: Alignment[] = [];
    for (const alignment of beam) {
      const free = candidates.filter((place) => (alignment.used & (1n << BigInt(place))) === 0n);
      // A word is skipped only where enough equal ones follow: the number of matches stays maximal.
      if (free.length <= later) next.push({ ...alignment, last: -2 });
      for (const place of free) {
        next.push({
          used: alignment.used | (1n << BigInt(place)),
          last: place,
          chunks: alignment.chunks + (alignment.last === place - 1 ? 0 : 1),
          distance: alignment.distance + Math.abs(place - position),
          weighted: alignment.weighted + (predicted[position] === referenced[place] ? 1 : STEM_WEIGHT),
        });
      }
    }
    beam = next.length === 1 ? next : bestOf(next);
  }
  const [{ chunks, weighted }] = beam;
  const lengths = { predictedLength: predicted.length, referenceLength: referenced.length };
  const whole = chunks === 1 && matched === predicted.length && matched === referenced.length;
  return { weighted, matched, chunks: whole ? 0 : chunks, ...lengths };
}

/** The best alignment of each kind that may go on differently, the best of all first. */
function bestOf(alignments: Alignment[]): Alignment[] {
  const kept = new Map<string, Alignment>();
  for (const alignment of alignments.sort((a, b) => a.chunks - b.chunks || a.distance - b.distance)) {
    const kind = `${alignment.last} ${alignment.used}`;
    if (!kept.has(kind)) kept.set(kind, alignment);
    if (kept.size === BEAM) break;
  }
  return [...kept.values()];
}
