import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '#src/random';

const scope = fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 });

function draws(count: number, seed: number, ...names: (string | number)[]): number[] {
  const random = createRandom(seed, ...names);
  return Array.from({ length: count }, random.uniform);
}

describe('createRandom', () => {
  it('gives the numbers it has always given, so old seeds keep their meaning', () => {
    expect(draws(3, 7, 'augment', 0, 4)).toEqual([0.35687899752520025, 0.6101391843985766, 0.1354913122486323]);
  });

  it('gives equal numbers for equal seed and scope', () => {
    fc.assert(
      fc.property(fc.integer(), scope, (seed, names) => {
        expect(draws(4, seed, ...names)).toEqual(draws(4, seed, ...names));
      }),
    );
  });

  it.each([
    ['another seed', draws(4, 2, 'a', 1)],
    ['another counter', draws(4, 1, 'a', 2)],
    ['another name', draws(4, 1, 'b', 1)],
    ['the scope split elsewhere', draws(4, 1, 'a1')],
    ['a number as text', draws(4, 1, 'a', '1')],
  ])('gives other numbers for %s', (_, other) => {
    expect(other).not.toEqual(draws(4, 1, 'a', 1));
  });

  it('draws uniform numbers in [0, 1) that fill it evenly', () => {
    const bins = new Array(16).fill(0);
    for (const value of draws(16_000, 3)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      bins[Math.floor(value * 16)]++;
    }
    // χ² with 15 degrees of freedom is below 37.7 in 99.9 % of cases.
    expect(bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(37.7);
  });

  it('draws the first two numbers of neighbouring streams independently', () => {
    const bins = new Array(16).fill(0);
    for (let i = 0; i < 8000; i++) {
      const [a, b] = draws(2, 3, 'stream', i);
      bins[Math.floor(a * 4) * 4 + Math.floor(b * 4)]++;
    }
    expect(bins.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0)).toBeLessThan(37.7);
  });

  it('draws normal numbers of mean 0, deviation 1 and kurtosis 3', () => {
    const random = createRandom(4);
    const values = Array.from({ length: 40_000 }, random.normal);
    const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
    // Four standard errors each.
    expect(Math.abs(moment(1))).toBeLessThan(0.02);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.03);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.2);
  });

  it('draws integers in [0, bound)', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 31 }), (seed, bound) => {
        const value = createRandom(seed).integer(bound);
        expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      }),
    );
  });

  it('shuffles into a permutation and leaves the argument alone', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) => {
        const before = items.slice();
        const shuffled = createRandom(seed).shuffled(items);
        expect(items).toEqual(before);
        expect(shuffled.sort((a, b) => a - b)).toEqual(before.sort((a, b) => a - b));
      }),
    );
  });

  it('gives every permutation its turn', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = createRandom(5, i).shuffled(['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // Six standard deviations of a binomial around 1000.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(175);
  });

  it('chooses among all items', () => {
    const random = createRandom(6);
    const chosen = new Set(Array.from({ length: 100 }, () => random.choice(['x', 'y', 'z'])));
    expect([...chosen].sort()).toEqual(['x', 'y', 'z']);
  });
});
