import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captionIntervals, captionStatistics, documentFrequencies, scoreCaptions, scoresOf } from '#captions/metrics';
import { UserError } from '#src/errors';
import { userErrorLine } from '../../support/thrown.js';

const METRICS = ['bleu1', 'bleu2', 'bleu3', 'bleu4', 'meteorExactStem', 'rougeL', 'ciderD'] as const;
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
  it('refuses a text that is no caption by its length, on either side', () => {
    const line = (prediction: string, reference: string): string =>
      userErrorLine(() => score([[7, { prediction, references: [reference] }]]));
    expect(line('a '.repeat(2001), 'a')).toContain('at most 2000 words, got one of 2001 for image 7');
    expect(line('a', 'a '.repeat(2001))).toContain('at most 2000 words, got one of 2001 for image 7');
    expect(line('a', 'a'.repeat(1e6))).toContain('at most 100000 characters, got one of 1000000');
    expect(score([[7, { prediction: 'a'.repeat(1e5), references: ['a'] }]]).rougeL).toBe(0);
  });

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

  it('scores 5,000 images with 5 references each, 1,000 resamples included, in 20 s of processor time', () => {
    const syllables = ['ba', 'de', 'fi', 'go', 'lu', 'ma', 'ne', 'ri', 'so', 'tu', 'va', 'we'];
    const words = syllables.flatMap((a) => syllables.flatMap((b) => syllables.map((c) => a + b + c)));
    let state = 1;
    const sentence = () =>
      Array.from({ length: 11 }, () => {
        state = (state * 48271) % 2147483647;
        return words[Math.floor(words.length * (state / 2147483647) ** 3)];
      }).join(' ');
    const ids = Array.from({ length: 5000 }, (_, id) => id);
    const predictions = new Map(ids.map((id) => [id, sentence()]));
    const references = new Map(ids.map((id) => [id, Array.from({ length: 5 }, sentence)]));
    const start = process.cpuUsage();
    const statistics = captionStatistics(predictions, references);
    const { low, high } = captionIntervals(statistics, { seed: 0 }).ciderD;
    const { user, system } = process.cpuUsage(start);
    const { ciderD } = scoresOf(statistics);
    expect(low).toBeLessThan(ciderD);
    expect(high).toBeGreaterThan(ciderD);
    expect((user + system) / 1e6).toBeLessThan(20); // 5 s on a machine of two cores
  });
});

describe('captionIntervals', () => {
  it('resamples what the scores of the set are made of, not the scores of images', () => {
    fc.assert(
      fc.property(images, fc.integer(), (set, seed) => {
        const entries = [...set.entries()];
        const predictions = new Map(entries.map(([id, { prediction }]) => [id, prediction]));
        const references = new Map(entries.map(([id, { references: captions }]) => [id, captions]));
        const statistics = captionStatistics(predictions, references);
        const intervals = captionIntervals(statistics, { seed, samples: 20 });
        for (const metric of METRICS) expect(intervals[metric].low).toBeLessThanOrEqual(intervals[metric].high);
        // One image can only be drawn again as itself.
        const alone = { imageIds: [0], perImage: [statistics.perImage[0]] };
        const { bleu4 } = captionIntervals(alone, { seed, samples: 5 });
        expect(bleu4).toEqual({ low: scoresOf(alone).bleu4, high: scoresOf(alone).bleu4 });
      }),
      { numRuns: 30 },
    );
  });

  it('gives equal intervals for equal seeds and others for another', () => {
    const references = new Map(Array.from({ length: 9 }, (_, id) => [id, [`a dog ${id} runs in the snow ${id % 3}`]]));
    const predictions = new Map(Array.from({ length: 9 }, (_, id) => [id, `a dog ${id % 4} runs in snow`]));
    const statistics = captionStatistics(predictions, references);
    const intervals = (seed: number) => captionIntervals(statistics, { seed, samples: 30 });
    expect(intervals(1)).toEqual(intervals(1));
    expect(intervals(1)).not.toEqual(intervals(2));
  });
});

describe('traps that ports of the scorers fall into', () => {
  it('one image alone has CIDEr-D 0, however good its caption', () => {
    expect(score([[1, { prediction: 'a red ball on a table', references: ['a red ball on a table'] }]]).ciderD).toBe(0);
  });

  it('perfect captions of three, two and one word reach CIDEr-D 7.5, 5 and 2.5', () => {
    const perfect = (first: string, second: string) =>
      score([first, second].map((text, id) => [id, { prediction: text, references: [text] }])).ciderD;
    expect(perfect('a cat sits', 'two dogs run')).toBeCloseTo(7.5, 9);
    expect(perfect('red cat', 'two dogs')).toBeCloseTo(5, 9);
    expect(perfect('cat', 'dogs')).toBeCloseTo(2.5, 9);
  });

  it('BLEU of the set is not the mean over images', () => {
    const scores = score([
      [1, { prediction: 'a cat sits on a mat', references: ['a cat sits on a mat'] }],
      [2, { prediction: 'two', references: ['a dog runs in the snow'] }],
    ]);
    const mean = (scores.perImage[0].bleu1 + scores.perImage[1].bleu1) / 2;
    expect(Math.abs(scores.bleu1 - mean)).toBeGreaterThan(0.05);
  });

  it('case and the full stop make no difference', () => {
    const scores = score([
      [1, { prediction: 'a grey dog in colour.', references: ['A grey dog in Colour'] }],
      [2, { prediction: 'A man can not swim', references: ['a man cannot swim!'] }],
    ]);
    expect(scores.ciderD).toBeCloseTo(10, 9);
    expect(scores.bleu4).toBeCloseTo(1, 7);
  });

  it("an n-gram in every image weighs nothing, an n-gram in no reference as much as one image's", () => {
    const common = score([
      [1, { prediction: 'a', references: ['a dog'] }],
      [2, { prediction: 'a', references: ['a cat'] }],
    ]);
    expect(common.ciderD).toBe(0);
  });
});
