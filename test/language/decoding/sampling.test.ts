import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { greedyToken, sampleToken, tokenDistribution } from '#language';
import { createRandom } from '#src/random';

const logits = fc
  .array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 30 })
  .map((values) => Float32Array.from(values));
const topP = fc.double({ min: 0.01, max: 1, noNaN: true });
const temperature = fc.double({ min: 0.05, max: 5, noNaN: true });

/** softmax(logits / temperature), the plain way. */
function softmax(values: ArrayLike<number>, t: number): number[] {
  const highest = Math.max(...Array.from(values));
  const weights = Array.from(values, (value) => Math.exp((value - highest) / t));
  const mass = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / mass);
}

describe('greedyToken', () => {
  it('takes the lowest id of equal maxima', () => {
    expect(greedyToken([1, 3, 3, 2])).toBe(1);
    expect(greedyToken([Number.NEGATIVE_INFINITY, -5])).toBe(1);
  });

  it('refuses NaN and logits that forbid every token', () => {
    expect(() => greedyToken([0, Number.NaN])).toThrow(/NaN at token 1/);
    expect(() => greedyToken([Number.NEGATIVE_INFINITY])).toThrow(/above -Infinity/);
  });
});

describe('tokenDistribution', () => {
  it('is the softmax when nothing is cut', () => {
    fc.assert(
      fc.property(logits, temperature, (values, t) => {
        const { ids, probabilities } = tokenDistribution(values, { temperature: t });
        const expected = softmax(values, t);
        expect(ids).toHaveLength(values.length);
        for (const [i, id] of ids.entries()) expect(probabilities[i]).toBeCloseTo(expected[id], 10);
      }),
    );
  });

  it('keeps the smallest set of likeliest tokens whose mass reaches topP', () => {
    fc.assert(
      fc.property(logits, temperature, topP, (values, t, p) => {
        const { ids } = tokenDistribution(values, { temperature: t, topP: p });
        const all = softmax(values, t);
        const mass = (kept: readonly number[]) => kept.reduce((sum, id) => sum + all[id], 0);
        expect(mass(ids)).toBeGreaterThanOrEqual(p - 1e-9);
        if (p < 1) expect(mass(ids.slice(0, -1))).toBeLessThan(p + 1e-9);
        const dropped = all.filter((_, id) => !ids.includes(id));
        expect(Math.max(0, ...dropped)).toBeLessThanOrEqual(Math.min(...ids.map((id) => all[id])));
      }),
    );
  });

  it('keeps topK tokens, ties by the lowest ids', () => {
    expect(tokenDistribution([1, 2, 2, 2, 0], { topK: 2 })).toEqual({ ids: [1, 2], probabilities: [0.5, 0.5] });
    expect(tokenDistribution([1, 2], { topK: 50 }).ids).toEqual([0, 1]);
  });

  it('applies the temperature before topP: sharp logits keep fewer tokens', () => {
    const values = [2, 1, 0, -1];
    expect(tokenDistribution(values, { temperature: 0.1, topP: 0.9 }).ids).toEqual([0]);
    expect(tokenDistribution(values, { temperature: 1, topP: 0.9 }).ids).toEqual([0, 1, 2]);
  });

  it('applies topP to what topK left, renormalised', () => {
    const values = [3, 2, 1, 0].map((weight) => Math.log(weight + 1)); // probabilities .4 .3 .2 .1
    expect(tokenDistribution(values, { topP: 0.5 }).ids).toEqual([0, 1]);
    expect(tokenDistribution(values, { topK: 2, topP: 0.5 }).ids).toEqual([0]);
  });

  it('never holds a forbidden token and survives extreme logits', () => {
    const { ids, probabilities } = tokenDistribution([1e30, Number.NEGATIVE_INFINITY, -1e30], { temperature: 0.01 });
    expect(ids).toEqual([0, 2]);
    expect(probabilities).toEqual([1, 0]);
  });

  it('takes the likeliest token at temperature 0, whatever is cut', () => {
    fc.assert(
      fc.property(logits, topP, (values, p) => {
        const settings = { temperature: 0, topP: p, topK: 2 };
        expect(tokenDistribution(values, settings)).toEqual({ ids: [greedyToken(values)], probabilities: [1] });
        expect(sampleToken(values, settings, createRandom(1, 'sample'))).toBe(greedyToken(values));
      }),
    );
  });

  it.each([
    { temperature: -1 },
    { temperature: Number.POSITIVE_INFINITY },
    { temperature: Number.NaN },
    { topK: 0 },
    { topK: 1.5 },
    { topP: 0 },
    { topP: 1.1 },
  ])('refuses %o', (options) => {
    expect(() => tokenDistribution([1, 2], options)).toThrow(/expected/);
  });
});

describe('sampleToken', () => {
  it('with topK 1 is greedy', () => {
    fc.assert(
      fc.property(logits, temperature, fc.integer(), (values, t, seed) => {
        const token = sampleToken(values, { temperature: t, topK: 1 }, createRandom(seed, 'sample'));
        expect(token).toBe(greedyToken(values));
      }),
    );
  });

  it('draws tokens as often as their probabilities say', () => {
    const values = [0, 1, 2, -1];
    const expected = softmax(values, 1.5);
    const counts = [0, 0, 0, 0];
    const random = createRandom(7, 'sample');
    const draws = 20_000;
    for (let i = 0; i < draws; i++) counts[sampleToken(values, { temperature: 1.5 }, random)]++;
    // Five standard deviations of a binomial share.
    for (const [id, p] of expected.entries()) {
      expect(Math.abs(counts[id] / draws - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / draws));
    }
  });

  it('gives the same tokens for the same seed', () => {
    const draw = () => {
      const random = createRandom(3, 'sample');
      return Array.from({ length: 50 }, () => sampleToken([0, 0.5, 1], { topP: 0.95 }, random));
    };
    expect(draw()).toEqual(draw());
    expect(new Set(draw()).size).toBeGreaterThan(1);
  });
});
