import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentFrequencies, scoreCaptions } from '#fusion/metrics';
import { UserError } from '#src/errors';

const METRICS = ['bleu1', 'bleu2', 'bleu3', 'bleu4', 'rougeL', 'ciderD'] as const;
const word = fc.constantFrom('a', 'the', 'dog', 'cat', 'runs', 'sits', 'red', 'on', 'mat');
const caption = fc.array(word, { maxLength: 9 }).map((words) => words.join(' '));
const image = fc.record({ prediction: caption, references: fc.array(caption, { minLength: 1, maxLength: 4 }) });
const images = fc.array(image, { minLength: 1, maxLength: 6 });
type Image = { prediction: string; references: string[] };

function score(set: readonly (readonly [number, Image])[]) {
  return scoreCaptions(
    new Map(set.map(([id, { prediction }]) => [id, prediction])),
    new Map(set.map(([id, { references }]) => [id, references])),
  );
}

describe('scoreCaptions', () => {
  it('keeps every score in its range, for the set and per image', () => {
    fc.assert(
      fc.property(images, (set) => {
        const scores = score([...set.entries()]);
        for (const result of [scores, ...scores.perImage]) {
          for (const metric of METRICS) {
            expect(result[metric]).toBeGreaterThanOrEqual(0);
            expect(result[metric]).toBeLessThanOrEqual((metric === 'ciderD' ? 10 : 1) + 1e-9);
          }
        }
      }),
    );
  });

  it('gives 1 to captions of four words or more that are their own reference', () => {
    const longCaption = fc.array(word, { minLength: 4, maxLength: 9 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(longCaption, { minLength: 1, maxLength: 6 }), (captions) => {
        const scores = score([...captions.map((text) => ({ prediction: text, references: [text] })).entries()]);
        for (const metric of METRICS) if (metric !== 'ciderD') expect(scores[metric]).toBeCloseTo(1, 7);
      }),
    );
  });

  it('gives CIDEr-D 10 to perfect captions that share no word', () => {
    const captions = ['a b c d', 'e f g h i', 'j k l m'];
    const scores = score([...captions.map((text) => ({ prediction: text, references: [text] })).entries()]);
    expect(scores.ciderD).toBeCloseTo(10, 9);
  });

  it('gives the same bits in whatever order images are inserted', () => {
    const shuffled = images.chain((set) =>
      fc.tuple(fc.constant([...set.entries()]), fc.shuffledSubarray([...set.entries()], { minLength: set.length })),
    );
    fc.assert(
      fc.property(shuffled, ([set, permuted]) => {
        expect(score(permuted)).toEqual(score(set));
      }),
    );
  });

  it('gives the same scores when images are numbered in another order', () => {
    fc.assert(
      fc.property(images, (set) => {
        const entries = [...set.entries()];
        const renumbered = score(entries.map(([id, entry]) => [set.length - id, entry]));
        const scores = score(entries);
        for (const metric of METRICS) expect(renumbered[metric]).toBeCloseTo(scores[metric], 9);
        expect(renumbered.perImage[0].ciderD).toBeCloseTo(scores.perImage[set.length - 1].ciderD, 9);
      }),
    );
  });

  it('gives the same scores in whatever order the references of an image are', () => {
    fc.assert(
      fc.property(images, (set) => {
        const scores = score([...set.entries()]);
        const reversed = score([
          ...set.map(({ prediction, references }) => ({ prediction, references: references.toReversed() })).entries(),
        ]);
        for (const metric of METRICS) expect(reversed[metric]).toBeCloseTo(scores[metric], 9);
      }),
    );
  });

  it('lists images by ascending id', () => {
    const entry = { prediction: 'a cat', references: ['a cat'] };
    const scores = score([
      [30, entry],
      [4, entry],
      [100, entry],
    ]);
    expect(scores.perImage.map(({ imageId }) => imageId)).toEqual([4, 30, 100]);
  });

  it('tokenizes unless captions are tokenized already', () => {
    const predictions = new Map([[1, 'A red ball, on a table.']]);
    const references = new Map([[1, ['a red ball on a table']]]);
    expect(scoreCaptions(predictions, references).bleu4).toBeCloseTo(1, 7);
    expect(scoreCaptions(predictions, references, { pretokenized: true }).bleu4).toBeLessThan(0.1);
  });

  it('scores one image by given document frequencies, and alike by those of its own set', () => {
    const references = new Map([
      [1, ['a red ball on a table']],
      [2, ['two dogs run in the grass']],
    ]);
    const predictions = new Map([
      [1, 'a red ball on a chair'],
      [2, 'two dogs run'],
    ]);
    const table = documentFrequencies(references);
    expect(scoreCaptions(predictions, references, { documentFrequencies: table })).toEqual(
      scoreCaptions(predictions, references),
    );
    const alone = [new Map([[1, 'a red ball on a chair']]), new Map([[1, ['a red ball on a table']]])] as const;
    expect(scoreCaptions(...alone).ciderD).toBe(0);
    expect(scoreCaptions(...alone, { documentFrequencies: table }).ciderD).toBe(
      scoreCaptions(predictions, references).perImage[0].ciderD,
    );
  });

  it('says which images are missing on which side', () => {
    const wrong = () =>
      scoreCaptions(
        new Map([
          [1, 'a'],
          [2, 'b'],
        ]),
        new Map([
          [1, ['a']],
          [7, ['c']],
        ]),
      );
    expect(wrong).toThrow(UserError);
    expect(wrong).toThrow(/1 without a prediction \(7\), 1 without references \(2\)/);
  });

  it('refuses an empty set, an image without references and an empty frequency table', () => {
    expect(() => scoreCaptions(new Map(), new Map())).toThrow(/at least one image/);
    expect(() => scoreCaptions(new Map([[5, 'a']]), new Map([[5, []]]))).toThrow(/image 5/);
    expect(() =>
      scoreCaptions(new Map([[5, 'a']]), new Map([[5, ['a']]]), {
        documentFrequencies: { numImages: 0, counts: new Map() },
      }),
    ).toThrow(/numImages of at least 1, got 0/);
  });

  it('scores 5,000 images with 5 references each in a few seconds', () => {
    const words = Array.from({ length: 2000 }, (_, index) => `w${index}`);
    let state = 1;
    const sentence = () =>
      Array.from({ length: 11 }, () => {
        state = (state * 48271) % 2147483647;
        return words[Math.floor(words.length * (state / 2147483647) ** 3)];
      }).join(' ');
    const set = Array.from({ length: 5000 }, (_, id) => {
      return [id, { prediction: sentence(), references: Array.from({ length: 5 }, sentence) }] as const;
    });
    const start = performance.now();
    expect(score(set).perImage).toHaveLength(5000);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
