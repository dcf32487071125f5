import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { summarizeHistogram } from '../src/histogram.js';

describe('summarizeHistogram', () => {
  it('counts into 30 buckets of equal width, upper limits included', () => {
    const histogram = summarizeHistogram([0, 0.5, 1, 1.5, 30]);
    expect(histogram.bucketLimits).toHaveLength(30);
    expect(histogram.bucketLimits[0]).toBeCloseTo(1, 12);
    expect(histogram.buckets.slice(0, 3)).toEqual([3, 1, 0]);
    expect(histogram.buckets[29]).toBe(1);
  });

  it('has one bucket when all values are equal', () => {
    expect(summarizeHistogram([2, 2, 2])).toMatchObject({ min: 2, max: 2, bucketLimits: [2], buckets: [3] });
  });

  it('keeps its limits in order between neighbouring numbers, and across the whole range', () => {
    for (const ends of [
      [1, 1 + Number.EPSILON],
      [0, Number.MIN_VALUE],
      [-Number.MAX_VALUE, Number.MAX_VALUE],
    ]) {
      const { bucketLimits, buckets } = summarizeHistogram(ends);
      expect(bucketLimits).toEqual([...bucketLimits].sort((a, b) => a - b));
      expect(bucketLimits.every(Number.isFinite)).toBe(true);
      expect(buckets[0] + buckets[29]).toBe(2);
    }
  });

  it('counts every value once, between limits that rise to the maximum', () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 50 }), (values) => {
        const { buckets, bucketLimits, count, max, min } = summarizeHistogram(values);
        expect(buckets.reduce((total, n) => total + n, 0)).toBe(values.length);
        expect(count).toBe(values.length);
        expect(bucketLimits.at(-1)).toBe(max);
        let previous = min;
        bucketLimits.forEach((limit, i) => {
          expect(limit).toBeGreaterThanOrEqual(previous);
          const inside = values.filter((value) => value <= limit && (i === 0 || value > previous)).length;
          expect(buckets[i]).toBe(inside);
          previous = limit;
        });
      }),
    );
  });
});
