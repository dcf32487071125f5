import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestConstantCaptions, scoreCaptions } from '#captions/metrics';

const word = fc.constantFrom('a', 'the', 'dog', 'cat', 'runs', 'sits', 'red', 'on', 'mat', 'dog dog');
const caption = fc.array(word, { maxLength: 8 }).map((words) => words.join(' '));
const referenceSet = fc
  .array(fc.array(caption, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 })
  .map((images) => new Map(images.entries()));

describe('bestConstantCaptions', () => {
  it.each(['ciderD', 'bleu4'] as const)('finds what scoring every training caption by %s finds', (metric) => {
    fc.assert(
      fc.property(referenceSet, (references) => {
        const scoreOf = (text: string) =>
          scoreCaptions(new Map([...references.keys()].map((id) => [id, text])), references)[metric];
        const best = Math.max(...[...references.values()].flat().map(scoreOf));
        const [{ caption: chosen, trainScore }] = bestConstantCaptions(references, [metric]);
        expect(trainScore).toBeCloseTo(best, 9);
        expect(scoreOf(chosen)).toBeCloseTo(best, 9);
      }),
    );
  });

  it('chooses by several metrics what it chooses by each', () => {
    const references = new Map([
      [1, ['a red ball', 'a ball']],
      [2, ['a red ball on a table', 'a table']],
      [3, ['two dogs run']],
    ]);
    expect(bestConstantCaptions(references, ['ciderD', 'bleu4'])).toEqual(
      (['ciderD', 'bleu4'] as const).flatMap((metric) => bestConstantCaptions(references, [metric])),
    );
  });

  it('tries the most frequent captions first, as many as it may', () => {
    const references = new Map([
      [1, ['x one', 'common words here']],
      [2, ['x two', 'common words here']],
      [3, ['x three']],
    ]);
    expect(bestConstantCaptions(references, ['ciderD'], { candidates: 1 })).toMatchObject([
      { caption: 'common words here', numTried: 1, numDistinct: 4 },
    ]);
  });

  it('chooses alike whatever the order of insertion', () => {
    fc.assert(
      fc.property(referenceSet, fc.integer({ min: 1, max: 5 }), fc.integer(), (references, candidates, seed) => {
        const reversed = new Map([...references.entries()].reverse());
        expect(bestConstantCaptions(reversed, ['ciderD'], { candidates, seed })).toEqual(
          bestConstantCaptions(references, ['ciderD'], { candidates, seed }),
        );
      }),
    );
  });

  it('refuses a candidate count below one', () => {
    expect(() => bestConstantCaptions(new Map([[1, ['a']]]), ['bleu4'], { candidates: 0 })).toThrow(/got 0/);
  });
});
