import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forcedChoice, type NllMatrix, RECALL_RANKS, retrieval } from '#evaluation/likelihood';

/** given[image][caption], and a blind NLL of 0 for every caption. */
function matrix(given: number[][], blind: number[] = given.map(() => 0)): NllMatrix {
  return { given: given.map((row) => Float64Array.from(row)), blind: Float64Array.from(blind) };
}

const means = (recall: readonly { mean: number }[]): number[] => recall.map(({ mean }) => mean);

describe('retrieval', () => {
  it('finds every partner when own pairs cost least', () => {
    const size = 12;
    const given = Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, c) => (i === c ? 1 : 2)));
    const found = retrieval(matrix(given), 0);
    expect(found.poolSize).toBe(size);
    for (const recall of [found.textToImage, found.imageToText, found.imageToTextPmi]) {
      expect(means(recall)).toEqual([1, 1, 1]);
    }
  });

  it('is at chance, exactly, for a model that weighs everything alike', () => {
    const given = Array.from({ length: 20 }, () => new Array<number>(20).fill(3));
    const expected = RECALL_RANKS.map((k) => k / 20);
    for (const [k, mean] of means(retrieval(matrix(given), 0).textToImage).entries()) {
      expect(mean).toBeCloseTo(expected[k], 12);
    }
  });

  it('tells the directions apart: rows are images, columns captions', () => {
    // Caption 0 is the likeliest under every image; under it, its own image comes first.
    const found = retrieval(
      matrix([
        [1, 9, 9],
        [2, 4, 9],
        [3, 8, 5],
      ]),
      0,
    );
    expect(found.textToImage[0].mean).toBe(1);
    expect(found.imageToText[0].mean).toBeCloseTo(1 / 3, 12);
  });

  it('takes what makes a caption likely anyway away under PMI', () => {
    const given = [
      [1, 9, 9],
      [2, 4, 9],
      [3, 8, 5],
    ];
    expect(retrieval(matrix(given, [0.5, 7, 7]), 0).imageToTextPmi[0].mean).toBe(1);
  });

  it('never falls with k, and lies in its interval', () => {
    const cost = fc.integer({ min: 0, max: 4 });
    const square = fc
      .integer({ min: 2, max: 12 })
      .chain((n) => fc.array(fc.array(cost, { minLength: n, maxLength: n }), { minLength: n, maxLength: n }));
    fc.assert(
      fc.property(square, (given) => {
        const { textToImage, imageToText } = retrieval(matrix(given), 1);
        for (const recall of [textToImage, imageToText]) {
          expect(means(recall)).toEqual(means(recall).sort((a, b) => a - b));
          for (const { mean, low, high } of recall) {
            expect(low - 1e-12 <= mean && mean <= high + 1e-12).toBe(true);
          }
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('forcedChoice', () => {
  const image = (...nats: number[]) => ({ nats, tokens: nats.map(() => 2) });

  it('counts captions likelier with their own image, a tie half', () => {
    const own = [image(1, 2), image(3, 3)];
    const other = [image(2, 1), image(4, 3)];
    const { accuracy } = forcedChoice(own, other, own, 0);
    expect(accuracy.mean).toBeCloseTo((0.5 + 0.75) / 2, 12);
  });

  it('gives as image gain what the image takes off the NLL, per token', () => {
    const { imageGain } = forcedChoice([image(1, 2)], [image(9, 9)], [image(4, 5)], 0);
    expect(imageGain.mean).toBeCloseTo(6 / 4, 12);
  });
});
