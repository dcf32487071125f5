import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from '#captions/metrics';
import { createRandom } from '#src/random';

describe('bootstrapInterval', () => {
  it('holds the mean and stays within the values', () => {
    const values = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(values, fc.integer(), (perImage, seed) => {
        const { mean, low, high } = bootstrapInterval(perImage, seed, 200);
        expect(mean).toBeCloseTo(perImage.reduce((sum, value) => sum + value, 0) / perImage.length, 9);
        expect(low).toBeLessThanOrEqual(high);
        expect(low).toBeGreaterThanOrEqual(Math.min(...perImage) - 1e-9);
        expect(high).toBeLessThanOrEqual(Math.max(...perImage) + 1e-9);
      }),
    );
  });

  it('is 1.96 standard errors wide on each side for many normal values', () => {
    const random = createRandom(3, 'normal values');
    const { mean, low, high } = bootstrapInterval(
      Array.from({ length: 2000 }, () => random.normal()),
      1,
      2000,
    );
    const expected = 1.96 / Math.sqrt(2000);
    expect(high - mean).toBeGreaterThan(0.85 * expected);
    expect(high - mean).toBeLessThan(1.15 * expected);
    expect(mean - low).toBeGreaterThan(0.85 * expected);
    expect(mean - low).toBeLessThan(1.15 * expected);
  });

  it('repeats itself for a seed and differs for another', () => {
    const values = Array.from({ length: 40 }, (_, index) => index ** 2);
    expect(bootstrapInterval(values, 5)).toEqual(bootstrapInterval(values, 5));
    expect(bootstrapInterval(values, 5)).not.toEqual(bootstrapInterval(values, 6));
  });

  it('is a point where all values are equal', () => {
    expect(bootstrapInterval([2, 2, 2], 0)).toEqual({ mean: 2, low: 2, high: 2 });
  });

  it('refuses no values, values that are not finite, and no samples', () => {
    expect(() => bootstrapInterval([], 0)).toThrow(/at least one image/);
    expect(() => bootstrapInterval([1, Number.NaN], 0)).toThrow(/got NaN at position 1/);
    expect(() => bootstrapInterval([1], 0, 0)).toThrow(/samples.*got 0/);
  });
});
