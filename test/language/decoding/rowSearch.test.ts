import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Decoding, greedyToken } from '#language';
import { penalizeRepetition } from '../../../language/decoding/adjustLogits.js';
import type { GreedyDecoding, SampleDecoding } from '../../../language/decoding/decoding.js';
import { createRowSearch } from '../../../language/decoding/rowSearch.js';
import { logSumExp, markovModel, type NextLogits, runSearch } from './markovModel.js';

const STOP = 0;
const VOCAB = 5;

function run(settings: object, models: readonly NextLogits[], names = models.map((_, i) => i), stopIds = [STOP]) {
  const decoding = Decoding.parse(settings) as GreedyDecoding | SampleDecoding;
  return runSearch(createRowSearch(decoding, names, stopIds), models);
}

const models = fc.integer({ min: 0, max: 1e6 }).map((seed) => markovModel(seed, VOCAB));

describe('greedy rows', () => {
  it('take the likeliest token each time, with its log p, until a stop token or the last length', () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 1, max: 7 }), (model, maxTokens) => {
        const [[{ tokenIds, logProb, ended }]] = run({ method: 'greedy', maxTokens }, [model]).results;
        const expected: number[] = [];
        let sum = 0;
        let token = -1;
        while (token !== STOP && expected.length < maxTokens) {
          const logits = model(expected);
          token = greedyToken(logits);
          sum += logits[token] - logSumExp(logits);
          if (token !== STOP) expected.push(token);
        }
        expect({ tokenIds, ended }).toEqual({ tokenIds: expected, ended: token === STOP });
        expect(logProb).toBeCloseTo(sum, 10);
      }),
    );
  });

  it('are no longer run once they have ended', () => {
    const scripts = [[1, STOP], [2, 3, 1, STOP], [STOP]];
    const scripted = scripts.map(
      (script): NextLogits =>
        ({ length }) =>
          Float32Array.from({ length: VOCAB }, (_, id) => (id === script[length] ? 9 : 0)),
    );
    const { results, rowsRun } = run({ method: 'greedy' }, scripted);
    expect(results.map(([{ tokenIds }]) => tokenIds)).toEqual([[1], [2, 3, 1], []]);
    expect(rowsRun).toBe(2 + 4 + 1);
  });

  it('choose no stop token before minTokens', () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 0, max: 6 }), (model, minTokens) => {
        const [[{ tokenIds }]] = run({ method: 'greedy', maxTokens: 8, minTokens }, [model], [0], [STOP, 3]).results;
        expect(tokenIds.length).toBeGreaterThanOrEqual(minTokens);
        expect(tokenIds).not.toContain(STOP);
        expect(tokenIds).not.toContain(3);
      }),
    );
  });

  it('end at any of several stop tokens', () => {
    const model: NextLogits = ({ length }) => Float32Array.of(0, 3, length > 1 ? 5 : 1, 0, 0);
    expect(run({ method: 'greedy' }, [model], [0], [STOP, 2]).results[0][0]).toMatchObject({
      tokenIds: [1, 1],
      ended: true,
    });
  });

  it('say less often what they have said with a repetition penalty, and report the model its own log p', () => {
    const model: NextLogits = () => Float32Array.of(-9, 2, 1.8, -1, 1.5);
    const settings = { method: 'greedy', maxTokens: 4 };
    expect(run(settings, [model]).results[0][0].tokenIds).toEqual([1, 1, 1, 1]);
    const [{ tokenIds, logProb }] = run({ ...settings, repetitionPenalty: 2 }, [model]).results[0];
    expect(tokenIds).toEqual([1, 2, 4, 1]);
    expect(logProb).toBeCloseTo(2 + 1.8 + 1.5 + 2 - 4 * logSumExp(model([])), 5);
  });
});

describe('penalizeRepetition', () => {
  it('divides positive logits of said tokens by the penalty and multiplies the others', () => {
    const logits = Float32Array.of(2, -2, 0, 3);
    expect([...penalizeRepetition(logits, [1, 0, 0, 2], 4)]).toEqual([0.5, -8, 0, 3]);
    expect([...logits]).toEqual([2, -2, 0, 3]);
    expect(penalizeRepetition(logits, [1], 1)).toBe(logits);
  });
});

describe('sampled rows', () => {
  it('draw texts as often as the product of their probabilities says', () => {
    const model = markovModel(4, 3, 1);
    const numSamples = 6000;
    const [samples] = run({ method: 'sample', temperature: 1.4, numSamples, seed: 5, maxTokens: 2 }, [model]).results;
    const softmax = (logits: Float32Array): number[] => {
      const weights = Array.from(logits, (logit) => Math.exp(logit / 1.4));
      return weights.map((weight) => weight / weights.reduce((sum, w) => sum + w));
    };
    const expected = new Map<string, number>();
    for (const [first, p] of softmax(model([])).entries()) {
      if (first === STOP) expected.set('', p);
      else
        for (const [second, q] of softmax(model([first])).entries()) {
          const text = second === STOP ? `${first} end` : `${first} ${second}`;
          expected.set(text, p * q);
        }
    }
    const counts = new Map<string, number>();
    for (const { tokenIds, ended } of samples) {
      const text = tokenIds.length === 0 ? '' : tokenIds.join(' ') + (ended ? ' end' : '');
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    let chiSquare = 0;
    for (const [text, p] of expected) chiSquare += ((counts.get(text) ?? 0) - p * numSamples) ** 2 / (p * numSamples);
    expect(expected.size).toBe(7);
    expect([...counts.keys()].every((text) => expected.has(text))).toBe(true);
    // The 0.999 quantile of chi-square with 6 degrees of freedom; measured 10.3.
    expect(chiSquare).toBeLessThan(22.46);
  });

  it('do not depend on the batch: a row is named, not numbered', () => {
    const [a, b] = [markovModel(1, VOCAB), markovModel(2, VOCAB)];
    const settings = { method: 'sample', numSamples: 3, seed: 9, maxTokens: 6 };
    const together = run(settings, [a, b], [70, 80]).results;
    expect(run(settings, [b], [80]).results[0]).toEqual(together[1]);
    expect(run(settings, [b, a], [80, 70]).results).toEqual([together[1], together[0]]);
    expect(run({ ...settings, seed: 10 }, [a, b], [70, 80]).results).not.toEqual(together);
    expect(new Set(together[0].map(({ tokenIds }) => tokenIds.join())).size).toBeGreaterThan(1);
  });

  it('report log p at temperature 1, whatever they were drawn at', () => {
    const model = markovModel(6, VOCAB);
    for (const { tokenIds, logProb, ended } of run(
      { method: 'sample', temperature: 0.3, topK: 2, numSamples: 4, maxTokens: 5 },
      [model],
    ).results[0]) {
      const chosen = ended ? [...tokenIds, STOP] : tokenIds;
      const sum = chosen.reduce((total, id, i) => {
        const logits = model(chosen.slice(0, i));
        return total + logits[id] - logSumExp(logits);
      }, 0);
      expect(logProb).toBeCloseTo(sum, 10);
    }
  });
});
