import { describe, expect, it } from 'vitest';
import { geometricMean, largestRelativeDifference, median, medianRatio } from '../../bench/statistics.js';

describe('the statistics of the bench', () => {
  it('takes the median of odd and even counts, whatever their order', () => {
    expect(median([10, 2, 9])).toBe(9); // by size, not as text
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('takes the geometric mean, so that 2 and 1/2 cancel', () => {
    expect(geometricMean([2, 0.5])).toBeCloseTo(1, 12);
    expect(geometricMean([1, 4])).toBeCloseTo(2, 12);
  });

  it('takes the ratio within each round first: noise that both sides met drops out', () => {
    const theirs = [2, 20, 2.2]; // the second round met another process
    const ours = [1, 10, 1.1];
    expect(medianRatio(theirs, ours)).toBeCloseTo(2, 12);
    expect(() => medianRatio([1], [1, 2])).toThrow('as many rounds');
  });

  it('finds the largest relative difference', () => {
    expect(largestRelativeDifference([1, 2.2], [1, 2])).toBeCloseTo(0.1, 12);
    expect(largestRelativeDifference([Number.NaN], [1])).toBeNaN();
  });
});
