import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoding } from '#language';
import { penalizeRepetition } from '../../../language/decoding/adjustLogits.js';
import { createBeamSearch } from '../../../language/decoding/beamSearch.js';
import type { BeamDecoding, GreedyDecoding } from '../../../language/decoding/decoding.js';
import { createRowSearch } from '../../../language/decoding/rowSearch.js';
import { logSumExp, markovModel, type NextLogits, runSearch } from './markovModel.js';

const STOP = 0;
const VOCAB = 4;

const beamOf = (settings: object): BeamDecoding => Decoding.parse({ method: 'beam', ...settings }) as BeamDecoding;

const beam = (settings: object, model: NextLogits, stopIds = [STOP]) =>
  runSearch(createBeamSearch(beamOf(settings), 1, stopIds), [model]).results[0];

const greedy = (settings: object, model: NextLogits, stopIds = [STOP]) => {
  const decoding = Decoding.parse({ method: 'greedy', ...settings }) as GreedyDecoding;
  return runSearch(createRowSearch(decoding, ['row'], stopIds), [model]).results[0][0];
};

interface Scored {
  readonly tokenIds: number[];
  readonly logProb: number;
  readonly ended: boolean;
  readonly score: number;
}

/** Every text up to maxTokens there is, best first. */
function everyText(
  model: NextLogits,
  { maxTokens, minTokens, lengthPenalty, repetitionPenalty }: BeamDecoding,
): Scored[] {
  const texts: Scored[] = [];
  const visit = (tokenIds: number[], logProb: number): void => {
    if (tokenIds.length === maxTokens) {
      texts.push({ tokenIds, logProb, ended: false, score: logProb / tokenIds.length ** lengthPenalty });
      return;
    }
    const logits = penalizeRepetition(model(tokenIds), tokenIds, repetitionPenalty);
    const total = logSumExp(logits);
    for (let id = 0; id < VOCAB; id++) {
      const next = logProb + logits[id] - total;
      if (id !== STOP) visit([...tokenIds, id], next);
      else if (tokenIds.length >= minTokens) {
        texts.push({ tokenIds, logProb: next, ended: true, score: next / (tokenIds.length + 1) ** lengthPenalty });
      }
    }
  };
  visit([], 0);
  return texts.sort((a, b) => b.score - a.score);
}

const models = fc.integer({ min: 0, max: 1e6 }).map((seed) => markovModel(seed, VOCAB));
const lengthPenalty = fc.constantFrom(0, 0.6, 1, 2);

describe('beam search', () => {
  it('with a width that covers all is the exhaustive search', () => {
    fc.assert(
      fc.property(models, lengthPenalty, fc.constantFrom(0, 2), (model, alpha, minTokens) => {
        const decoding = beamOf({ width: 108, nBest: 12, maxTokens: 4, minTokens, lengthPenalty: alpha });
        const expected = everyText(model, decoding).slice(0, 12);
        const found = beam(decoding, model);
        expect(found.map(({ tokenIds, ended }) => ({ tokenIds, ended }))).toEqual(
          expected.map(({ tokenIds, ended }) => ({ tokenIds, ended })),
        );
        for (const [i, { logProb }] of found.entries()) expect(logProb).toBeCloseTo(expected[i].logProb, 10);
      }),
      { numRuns: 40 },
    );
  });

  it('goes by penalised log p where there is a repetition penalty, and reports the model its own', () => {
    const model = markovModel(8, VOCAB);
    const decoding = beamOf({ width: 108, nBest: 5, maxTokens: 4, repetitionPenalty: 1.7 });
    const found = beam(decoding, model);
    expect(found.map(({ tokenIds }) => tokenIds)).toEqual(
      everyText(model, decoding)
        .slice(0, 5)
        .map(({ tokenIds }) => tokenIds),
    );
    const plain = everyText(model, beamOf({ maxTokens: 4 }));
    for (const { tokenIds, logProb, ended } of found) {
      const same = plain.find((text) => text.ended === ended && text.tokenIds.join() === tokenIds.join())!;
      expect(logProb).toBeCloseTo(same.logProb, 10);
    }
  });

  it('of width 1 is greedy', () => {
    fc.assert(
      fc.property(models, lengthPenalty, fc.constantFrom(0, 3), (model, alpha, minTokens) => {
        const lengths = { maxTokens: 8, minTokens };
        expect(beam({ width: 1, lengthPenalty: alpha, ...lengths }, model)).toEqual([greedy(lengths, model)]);
      }),
    );
  });

  it('never scores below greedy, at no width and no length penalty', () => {
    fc.assert(
      fc.property(models, lengthPenalty, fc.integer({ min: 1, max: 5 }), (model, alpha, width) => {
        const [best] = beam({ width, lengthPenalty: alpha, maxTokens: 7 }, model);
        const expected = greedy({ maxTokens: 7 }, model);
        const score = (logProb: number, length: number) => logProb / length ** alpha;
        expect(score(best.logProb, best.tokenIds.length + (best.ended ? 1 : 0))).toBeGreaterThanOrEqual(
          score(expected.logProb, expected.tokenIds.length + (expected.ended ? 1 : 0)) - 1e-9,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('would score below greedy if greedy were not kept in the beam: the guarantee is not idle', () => {
    // Greedy goes 1, 1, end; both ways on from 2 are likelier than 1, 1 at the second step, and go nowhere.
    const table: Record<string, number[]> = {
      '': [0, 0.36, 0.34, 0.3],
      '1': [0, 0.34, 0.33, 0.33],
      '1,1': [1, 0, 0, 0],
    };
    const model: NextLogits = (tokenIds) => {
      const late = tokenIds.length > 1 ? [0.01, 0.33, 0.33, 0.33] : [0, 0, 0.5, 0.5];
      return Float32Array.from(table[tokenIds.join()] ?? late, (p) => Math.log(Math.max(p, 1e-9)));
    };
    const best = beam({ width: 2, maxTokens: 4 }, model)[0];
    expect(best.tokenIds).toEqual([1, 1]);
    expect(best.logProb).toBeCloseTo(Math.log(0.36 * 0.34), 5);
  });

  it('gives n-best without repeats, best first, and fewer rows to the model once nothing better can come', () => {
    const model = markovModel(3, 6);
    const decoding = beamOf({ width: 6, nBest: 4, maxTokens: 20 });
    const { results, rowsRun, passes } = runSearch(createBeamSearch(decoding, 1, [STOP]), [model]);
    const logProbs = results[0].map(({ logProb }) => logProb);
    expect(logProbs).toHaveLength(4);
    expect(logProbs).toEqual([...logProbs].sort((a, b) => b - a));
    expect(new Set(results[0].map(({ tokenIds }) => tokenIds.join())).size).toBe(4);
    expect(rowsRun).toBeLessThan(6 * passes);
    expect(passes).toBeLessThan(20);
  });

  it('searches several inputs together as each alone', () => {
    const several = [5, 6, 7].map((seed) => markovModel(seed, VOCAB));
    const decoding = beamOf({ width: 3, nBest: 3, maxTokens: 6 });
    const { results } = runSearch(createBeamSearch(decoding, 3, [STOP]), several);
    expect(results).toEqual(several.map((model) => beam(decoding, model)));
  });

  it('ends a beam by its likeliest stop token', () => {
    const model = markovModel(21, 6);
    const [best] = beam({ width: 4, maxTokens: 6 }, model, [STOP, 5]);
    expect(best.ended).toBe(true);
    expect(best.tokenIds).not.toContain(5);
    const logits = model(best.tokenIds);
    const prefix = best.tokenIds.reduce((sum, id, i) => {
      const before = model(best.tokenIds.slice(0, i));
      return sum + before[id] - logSumExp(before);
    }, 0);
    expect(best.logProb).toBeCloseTo(prefix + Math.max(logits[STOP], logits[5]) - logSumExp(logits), 10);
  });
});
