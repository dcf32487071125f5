import { createRandom, type Random } from '#src/random';
import { forbidTokens, penalizeRepetition } from './adjustLogits.js';
import type { GreedyDecoding, SampleDecoding } from './decoding.js';
import { greedyToken, sampleToken } from './sampling.js';
import { type Hypothesis, type NextRows, rowLogits, type Search, type StepLogits } from './search.js';

interface Row {
  readonly tokenIds: number[];
  logProb: number;
  ended: boolean;
  readonly random: Random | undefined;
  /** Of the last pass. */
  source: number;
}

/**
 * Rows that choose their tokens independently: greedy, or `numSamples` draws per input. Every draw has a random stream
 * of its own, so it does not depend on the rest of the batch.
 *
 * @param rowNames one per input; they name the random streams
 */
export function createRowSearch(
  decoding: GreedyDecoding | SampleDecoding,
  rowNames: readonly (string | number)[],
  stopIds: readonly number[],
): Search {
  const { maxTokens, minTokens, repetitionPenalty } = decoding;
  const sampling = decoding.method === 'sample' ? decoding : undefined;
  const rows = rowNames.map((name, source) =>
    Array.from({ length: sampling?.numSamples ?? 1 }, (_, sample): Row => {
      const random = sampling && createRandom(sampling.seed, 'decoding', name, sample);
      return { tokenIds: [], logProb: 0, ended: false, random, source };
    }),
  );
  let open = rows.flat();

  function advance(row: Row, logits: StepLogits): void {
    const own = rowLogits(logits, row.source);
    const forbidden = row.tokenIds.length < minTokens ? stopIds : [];
    const adjusted = forbidTokens(penalizeRepetition(own, row.tokenIds, repetitionPenalty), forbidden);
    const token = row.random && sampling ? sampleToken(adjusted, sampling, row.random) : greedyToken(adjusted);
    row.logProb = row.logProb + own[token] - logits.logSumExp[row.source];
    row.ended = stopIds.includes(token);
    if (!row.ended) row.tokenIds.push(token);
  }

  return {
    next: (logits): NextRows => {
      for (const row of open) advance(row, logits);
      open = open.filter(({ ended, tokenIds }) => !ended && tokenIds.length < maxTokens);
      const parents = open.map(({ source }) => source);
      for (const [source, row] of open.entries()) row.source = source;
      return { parents, tokenIds: open.map(({ tokenIds }) => tokenIds[tokenIds.length - 1]) };
    },
    leading: () => rows.map(([first]) => first.tokenIds),
    results: () =>
      rows.map((samples) => samples.map(({ tokenIds, logProb, ended }): Hypothesis => ({ tokenIds, logProb, ended }))),
  };
}
