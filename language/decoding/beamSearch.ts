import { forbidTokens, penalizeRepetition } from './adjustLogits.js';
import type { BeamDecoding } from './decoding.js';
import { greedyToken } from './sampling.js';
import { type Hypothesis, type NextRows, rowLogits, type Search, type StepLogits } from './search.js';

/** An unfinished result. */
interface Beam {
  readonly tokenIds: readonly number[];
  readonly logProb: number;
  /** Σ log p with the repetition penalty in the logits, by which the search ranks. `logProb` without one. */
  readonly searched: number;
  /** Row of the last pass; in a new beam, the row that it extends. */
  readonly row: number;
  readonly isGreedy: boolean;
}

/** A continuation of a beam: one more token, or its end. */
interface Step {
  readonly beam: Beam;
  readonly id: number;
  readonly ends: boolean;
  readonly logProb: number;
  readonly searched: number;
}

interface Finished extends Hypothesis {
  readonly score: number;
}

/** The beams of one input. */
interface Input {
  beams: readonly Beam[];
  /** Best first, at most nBest. */
  readonly finished: Finished[];
}

/**
 * Beam search. At each length it keeps the `width` likeliest of all continuations of the beams, an end (by the
 * beam's likeliest stop token) being one of them; a beam that ends is a result. Of the results the `nBest` best are kept by
 *
 *   score = log p / tokens^α                   α = lengthPenalty, tokens with the stop token
 *
 * The greedy continuation is kept at every length (in the last place when it is not among the likeliest), so the
 * best score is never below that of greedy's result; at α 0 that is: never less likely. Width 1 is greedy.
 *
 * A beam is dropped when not even its best result could be kept: log p only falls, so none of its results scores above
 * log p / maxTokens^α. This changes no result, and ends the search.
 */
export function createBeamSearch(decoding: BeamDecoding, batch: number, stopIds: readonly number[]): Search {
  const root = { tokenIds: [], logProb: 0, searched: 0, isGreedy: true };
  const inputs = Array.from({ length: batch }, (_, row): Input => ({ beams: [{ ...root, row }], finished: [] }));
  return {
    next: (logits): NextRows => {
      const next: { parents: number[]; tokenIds: number[] } = { parents: [], tokenIds: [] };
      for (const input of inputs) {
        input.beams = extend(input, logits, decoding, stopIds).map((beam) => {
          next.tokenIds.push(beam.tokenIds[beam.tokenIds.length - 1]);
          return { ...beam, row: next.parents.push(beam.row) - 1 };
        });
      }
      return next;
    },
    leading: () => inputs.map(({ beams, finished }) => (beams[0] ?? finished[0]).tokenIds),
    results: () =>
      inputs.map(({ finished }) => finished.map(({ tokenIds, logProb, ended }) => ({ tokenIds, logProb, ended }))),
  };
}

/** The beams to extend, likeliest first; those that end join the finished ones. */
function extend(
  { beams, finished }: Input,
  logits: StepLogits,
  { width, minTokens, maxTokens, nBest, lengthPenalty, repetitionPenalty }: BeamDecoding,
  stopIds: readonly number[],
): readonly Beam[] {
  const taken: Step[] = [];
  let greedy: Step | undefined;
  for (const beam of beams) {
    const own = rowLogits(logits, beam.row);
    const seen = penalizeRepetition(own, beam.tokenIds, repetitionPenalty);
    const logSumExp = seen === own ? logits.logSumExp[beam.row] : logSumExpOf(seen);
    const mayEnd = beam.tokenIds.length >= minTokens;
    const allowed = mayEnd ? seen : forbidTokens(seen, stopIds);
    const end = stopIds.reduce((best, id) => (allowed[id] > allowed[best] ? id : best));
    const step = (id: number): Step => ({
      beam,
      id,
      ends: id === end,
      logProb: beam.logProb + own[id] - logits.logSumExp[beam.row],
      searched: beam.searched + seen[id] - logSumExp,
    });
    const greedyId = beam.isGreedy ? greedyToken(allowed) : -1;
    if (beam.isGreedy) greedy = step(greedyId);
    // As a bound on the logit, so that most of the vocabulary costs one comparison.
    let least = leastLogit(taken, width, beam.searched - logSumExp);
    for (let id = 0; id < allowed.length; id++) {
      if (!(allowed[id] > least) || (id !== end && stopIds.includes(id))) continue;
      insertSorted(taken, greedy && id === greedyId ? greedy : step(id), ({ searched }) => searched, width);
      least = leastLogit(taken, width, beam.searched - logSumExp);
    }
  }
  if (greedy !== undefined && !taken.includes(greedy)) taken.splice(width - 1, 1, greedy);

  const going: Beam[] = [];
  for (const step of taken) {
    const { beam, id, ends, logProb, searched } = step;
    const tokenIds = ends ? beam.tokenIds : [...beam.tokenIds, id];
    if (!ends && tokenIds.length < maxTokens) {
      going.push({ tokenIds, logProb, searched, row: beam.row, isGreedy: step === greedy });
      continue;
    }
    const score = searched / (beam.tokenIds.length + 1) ** lengthPenalty;
    insertSorted(finished, { tokenIds, logProb, ended: ends, score }, (result) => result.score, nBest);
  }
  if (finished.length < nBest) return going;
  return going.filter(({ searched }) => searched / maxTokens ** lengthPenalty > finished[nBest - 1].score);
}

/** The bound that a logit must exceed to be among the likeliest. */
function leastLogit(taken: readonly Step[], width: number, offset: number): number {
  return taken.length < width ? Number.NEGATIVE_INFINITY : taken[width - 1].searched - offset;
}

/** Keeps the `limit` highest, highest first; of equal ones the first to come. */
function insertSorted<T>(entries: T[], entry: T, scoreOf: (entry: T) => number, limit: number): void {
  let place = entries.length;
  while (place > 0 && scoreOf(entries[place - 1]) < scoreOf(entry)) place--;
  if (place >= limit) return;
  entries.splice(place, 0, entry);
  if (entries.length > limit) entries.pop();
}

function logSumExpOf(logits: Float32Array): number {
  const highest = logits[greedyToken(logits)];
  return highest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
}
