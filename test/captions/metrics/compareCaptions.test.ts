import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CaptionPredictions, compareCaptions, scoreCaptions } from '#captions/metrics';
import { createRandom } from '#src/random';
import { userErrorLine } from '../../support/thrown.js';

const word = fc.constantFrom('a', 'the', 'dog', 'cat', 'runs', 'sits', 'red', 'on', 'mat');
const caption = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(' '));

const SCENES = ['a dog runs on the mat', 'the cat sits on a red mat', 'a red dog sits', 'the red cat runs', 'a mat'];

function captions(count: number, of: (i: number) => string): CaptionPredictions {
  return new Map(Array.from({ length: count }, (_, i) => [i, of(i)]));
}

const references = new Map(
  Array.from({ length: 40 }, (_, i) => [i, [SCENES[i % SCENES.length], `${SCENES[i % SCENES.length]} now`]]),
);
const right = captions(40, (i) => SCENES[i % SCENES.length]);
const wrong = captions(40, (i) => SCENES[(i + 1) % SCENES.length]);

describe('compareCaptions', () => {
  it('gives the scores of each file, and their difference', () => {
    const { scores, numImages } = compareCaptions(right, wrong, references, { seed: 1 });
    const [a, b] = [right, wrong].map((predictions) => scoreCaptions(predictions, references));
    expect(numImages).toBe(40);
    for (const name of ['bleu4', 'rougeL', 'ciderD', 'meteorExactStem'] as const) {
      expect(scores[name].a).toBeCloseTo(a[name], 12);
      expect(scores[name].b).toBeCloseTo(b[name], 12);
      expect(scores[name].difference).toBeCloseTo(a[name] - b[name], 12);
    }
  });

  it('is sure of a difference that every image shows', () => {
    const { ciderD } = compareCaptions(right, wrong, references, { seed: 1, samples: 999 }).scores;
    expect([ciderD.wins, ciderD.ties, ciderD.losses]).toEqual([40, 0, 0]);
    expect(ciderD.low).toBeGreaterThan(0);
    expect(ciderD.p).toBeCloseTo(0.002, 12);
  });

  it('finds no difference between a file and itself', () => {
    for (const score of Object.values(compareCaptions(right, right, references, { seed: 1 }).scores)) {
      expect(score).toMatchObject({ difference: 0, low: 0, high: 0, p: 1, wins: 0, ties: 40, losses: 0 });
    }
  });

  it('rejects equal systems about as often as it says', () => {
    // Two systems that are each right on a random half of the images: no true difference.
    let rejected = 0;
    for (let trial = 0; trial < 100; trial++) {
      const random = createRandom(trial, 'equal systems');
      const [a, b] = [0, 1].map(() => captions(40, (i) => SCENES[(i + random.integer(2)) % SCENES.length]));
      if (compareCaptions(a, b, references, { seed: trial, samples: 200 }).scores.rougeL.p <= 0.05) rejected++;
    }
    // Measured: 8. Binomial(100, 0.05) goes beyond 12 less often than once in a thousand.
    expect(rejected).toBeLessThanOrEqual(12);
  });

  it('turns around with its arguments', () => {
    const three = fc.tuple(caption, caption, caption);
    fc.assert(
      fc.property(three, three, (first, second) => {
        const [a, b] = [first, second].map((texts) => captions(3, (i) => texts[i]));
        const some = new Map([...references].slice(0, 3));
        const [there, back] = [
          compareCaptions(a, b, some, { seed: 2, samples: 100 }),
          compareCaptions(b, a, some, { seed: 2, samples: 100 }),
        ];
        for (const [name, score] of Object.entries(there.scores)) {
          const other = back.scores[name as keyof typeof back.scores];
          expect(other.difference).toBeCloseTo(-score.difference, 12);
          expect(other.low).toBeCloseTo(-score.high, 9);
          expect([other.wins, other.ties, other.p]).toEqual([score.losses, score.ties, score.p]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('refuses files of different images in one line', () => {
    const fewer = new Map([...wrong].slice(2));
    const line = userErrorLine(() => compareCaptions(right, fewer, references, { seed: 0 }));
    expect(line).toContain('expected both files to caption the same images, got 2 only in the first (0, 1)');
  });
});
