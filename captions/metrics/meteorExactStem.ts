import { porterStem } from '#captions/tokenization';
import type { CaptionPair } from './pairedCaptions.js';

/** METEOR 1.5's parameters for English: precision weight, fragmentation exponent and weight, stem weight. */
const ALPHA = 0.85;
const BETA = 0.2;
const GAMMA = 0.6;
const STEM_WEIGHT = 0.6;

/** Beam width of the alignment search. Captions stay far below it, so their alignments are optimal. */
const BEAM = 40;

/** The totals that determine the score; sums over images give the score of a set. */
export interface MeteorTotals {
  /** Matched words; matches by stem only count 0.6. */
  readonly weighted: number;
  readonly matched: number;
  /** Runs of matches in the same order in both; 0 if all words of both match in one run. */
  readonly chunks: number;
  readonly predictedLength: number;
  readonly referenceLength: number;
}

/**
 * METEOR without WordNet and paraphrases: words match if they, or their Porter stems, are equal. NOT METEOR 1.5, whose
 * scores are higher: it also matches synonyms and paraphrases and gives function words less weight.
 *
 *     P = weighted / |h|      R = weighted / |r|      F = P R / (0.85 P + 0.15 R)
 *     score = F · (1 − 0.6 · (chunks / matched)^0.2)
 *
 * The alignment matches as many words as possible, each at most once, in the fewest chunks. With several references,
 * the best-scoring one counts.
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

/** Ties go to the shorter reference, then to the one with more matches, regardless of their order. */
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

/** A stemmer that caches its results. */
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

/** A partial alignment: matches for the words up to some position. */
interface Alignment {
  /** Bit j: reference word j is matched. */
  readonly used: Uint32Array;
  /** The reference word that the last word matched; −2 when it matched none. */
  readonly last: number;
  readonly chunks: number;
  /** Summed position differences, the tie-breaker for equal numbers of chunks. */
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
    const known = places.get(stem);
    if (known === undefined) places.set(stem, [place]);
    else known.push(place);
  }
  const remaining = new Map<string, number>();
  for (const stem of stems) remaining.set(stem, (remaining.get(stem) ?? 0) + 1);
  let matched = 0;
  for (const [stem, count] of remaining) matched += Math.min(count, places.get(stem)?.length ?? 0);

  const none = new Uint32Array(Math.ceil(referenced.length / 32));
  let beam: Alignment[] = [{ used: none, last: -2, chunks: 0, distance: 0, weighted: 0 }];
  for (const [position, stem] of stems.entries()) {
    const later = remaining.get(stem)! - 1;
    remaining.set(stem, later);
    const candidates = places.get(stem) ?? [];
    const next: Alignment[] = [];
    for (const alignment of beam) {
      const { used, last } = alignment;
      const free = candidates.filter((place) => (used[place >> 5] & (1 << (place & 31))) === 0);
      // A word is skipped only if enough equal ones follow, so that the number of matches stays maximal.
      if (free.length <= later) next.push({ ...alignment, last: -2 });
      for (const place of worthTrying(free, position, last)) {
        next.push({
          used,
          last: place,
          chunks: alignment.chunks + (last === place - 1 ? 0 : 1),
          distance: alignment.distance + Math.abs(place - position),
          weighted: alignment.weighted + (predicted[position] === referenced[place] ? 1 : STEM_WEIGHT),
        });
      }
    }
    beam = bestOf(next);
  }
  const [{ chunks, weighted }] = beam;
  const lengths = { predictedLength: predicted.length, referenceLength: referenced.length };
  const whole = chunks === 1 && matched === predicted.length && matched === referenced.length;
  return { weighted, matched, chunks: whole ? 0 : chunks, ...lengths };
}

/**
 * The free places that one alignment can be among the best with: the one behind its last match, and the nearest ones. The others
 * have as many chunks as these and a larger distance.
 *
 * @param free ascending
 */
function worthTrying(free: readonly number[], position: number, last: number): readonly number[] {
  if (free.length <= 2 * BEAM) return free;
  let low = 0;
  for (let high = free.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (free[middle] < position) low = middle + 1;
    else high = middle;
  }
  const [start, end] = [Math.max(0, low - BEAM), Math.min(free.length, low + BEAM)];
  const nearest = free.slice(start, end);
  const follows = free.indexOf(last + 1);
  if (follows < 0 || (follows >= start && follows < end)) return nearest;
  return follows < start ? [last + 1, ...nearest] : [...nearest, last + 1];
}

/** The best alignment for each distinct state that can continue differently, the best overall first. */
function bestOf(steps: Alignment[]): Alignment[] {
  const kept = new Map<string, Alignment>();
  for (const step of steps.sort((a, b) => a.chunks - b.chunks || a.distance - b.distance)) {
    const used = step.last < 0 ? step.used : step.used.slice();
    if (step.last >= 0) used[step.last >> 5] |= 1 << (step.last & 31);
    const kind = `${step.last} ${used}`;
    if (!kept.has(kind)) kept.set(kind, { ...step, used });
    if (kept.size === BEAM) break;
  }
  return [...kept.values()];
}
