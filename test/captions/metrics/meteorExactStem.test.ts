import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scoreCaptions } from '#captions/metrics';
import { porterStem } from '#captions/tokenization';

function meteor(prediction: string, ...references: string[]): number {
  return scoreCaptions(new Map([[1, prediction]]), new Map([[1, references]]), { pretokenized: true }).meteorExactStem;
}

/** The fewest chunks of all alignments with the most matches, by trying every alignment. */
function fewestChunks(
  predicted: readonly string[],
  referenced: readonly string[],
): { matched: number; chunks: number } {
  let best = { matched: 0, chunks: 0 };
  const visit = (position: number, used: ReadonlySet<number>, last: number, matched: number, chunks: number): void => {
    if (position === predicted.length) {
      if (matched > best.matched || (matched === best.matched && chunks < best.chunks)) best = { matched, chunks };
      return;
    }
    visit(position + 1, used, -2, matched, chunks);
    for (const [place, word] of referenced.entries()) {
      if (used.has(place) || porterStem(word) !== porterStem(predicted[position])) continue;
      visit(position + 1, new Set([...used, place]), place, matched + 1, chunks + (last === place - 1 ? 0 : 1));
    }
  };
  visit(0, new Set(), -2, 0, 0);
  return best;
}

describe('meteorExactStem', () => {
  it('is 1 for a caption that is its reference, 0 where no word matches and for an empty caption', () => {
    expect(meteor('a red ball', 'a red ball')).toBe(1);
    expect(meteor('a red ball', 'two dogs')).toBe(0);
    expect(meteor('', 'two dogs')).toBe(0);
    expect(meteor('two dogs', '')).toBe(0);
  });

  it('has the value worked out by hand', () => {
    // 3 of 4 words match in 2 chunks (a dog | snow): P = R = 3/4, penalty 0.6 · (2/3)^0.2.
    expect(meteor('a dog eats snow', 'a dog in snow')).toBeCloseTo(0.75 * (1 - 0.6 * (2 / 3) ** 0.2), 12);
    // 2 of 2 and 2 of 4 in one chunk: P = 1, R = 1/2.
    const mean = 0.5 / (0.85 + 0.15 * 0.5);
    expect(meteor('a dog', 'a dog in snow')).toBeCloseTo(mean * (1 - 0.6 * (1 / 2) ** 0.2), 12);
  });

  it('counts a match by stem 0.6', () => {
    const [precision, recall] = [1.6 / 3, 1.6 / 2];
    const mean = (precision * recall) / (0.85 * precision + 0.15 * recall);
    expect(meteor('dogs run now', 'dogs running')).toBeCloseTo(mean * (1 - 0.6 * (1 / 2) ** 0.2), 12);
  });

  it('knows no synonyms: that is what its name says', () => {
    expect(meteor('bicycle', 'bike')).toBe(0);
  });

  it('takes the reference that scores best', () => {
    expect(meteor('two dogs run', 'a cat', 'two dogs run', 'dogs')).toBe(1);
  });

  it('scores a set by summed matches, not by the mean of images', () => {
    const predictions = new Map([
      [1, 'a dog'],
      [2, 'x y z v w u t s'],
    ]);
    const references = new Map([
      [1, ['a dog']],
      [2, ['a b c d e f g h']],
    ]);
    const { meteorExactStem: score } = scoreCaptions(predictions, references, { pretokenized: true });
    expect(score).toBeCloseTo(2 / 10, 12);
  });

  it('aligns hundreds of equal words as the whole search did, in little time', () => {
    // 120 and 140 places for one word: far more than are tried. The value is that of the search over all of them.
    const [predicted, referenced] = ['a b a c '.repeat(60).trim(), 'a c a walk '.repeat(70).trim()];
    expect(meteor(predicted, referenced)).toBeCloseTo(0.3394774886991612, 12);
    expect(meteor('a '.repeat(500), 'a '.repeat(500))).toBe(1);
  });

  it('aligns as trying every alignment does', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'run', 'runs', 'the'), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(words, words, (predicted, referenced) => {
        const { matched, chunks } = fewestChunks(predicted, referenced);
        const whole = chunks === 1 && matched === predicted.length && matched === referenced.length;
        const fragments = whole ? 0 : chunks;
        // The greatest mean there can be, and with the penalty the greatest score; stems lower it by their 0.6 at most.
        const score = meteor(predicted.join(' '), referenced.join(' '));
        expect(score === 0).toBe(matched === 0);
        if (matched === 0) return;
        const at = (weight: number): number => {
          const [precision, recall] = [(weight * matched) / predicted.length, (weight * matched) / referenced.length];
          return ((precision * recall) / (0.85 * precision + 0.15 * recall)) * (1 - 0.6 * (fragments / matched) ** 0.2);
        };
        expect(score).toBeLessThanOrEqual(at(1) + 1e-12);
        expect(score).toBeGreaterThanOrEqual(at(0.6) - 1e-12);
        if (!predicted.concat(referenced).includes('runs')) expect(score).toBeCloseTo(at(1), 12);
      }),
      { numRuns: 300 },
    );
  });
});
